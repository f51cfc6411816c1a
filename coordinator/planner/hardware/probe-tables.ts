import type { Cluster } from "./cluster.ts";
import type { LayerTime, Measured, StepTime } from "./measured.ts";
import { probedPipelineMs } from "./predict-probed.ts";

/** Halvings of a pipeline's time: less than a microsecond is left. */
const HOP_ROUNDS = 24;

/** What the ranks of a probe wrote: milliseconds of the faster half of the steps, means over the ranks at work. */
export interface ProbeTables {
  device: string;
  memoryBytes: number;
  memoryBandwidth: number;
  flopsAlone: number;
  flopsTogether: number;
  allReduce: [bytes: number, ms: number][];
  messages: [bytes: number, ms: number][];
  steps: StepRow[];
  pipelines: PipelineRow[];
  edges: (Place & { kind: "embedding" | "head"; forwardMs: number; backwardMs: number })[];
}

/** A pipeline of one layer a stage on all ranks. */
interface PipelineRow extends Place {
  pipelineParallel: number;
  numMicroBatches: number;
  pipelineMs: number;
}

interface Place {
  busyRanks: number;
  tensorParallel: number;
  dataParallel: number;
  microBatchSize: number;
}

/** Steps of a whole model of `layers` layers on every rank. */
interface StepRow extends Place {
  layers: number;
  recompute: boolean;
  forwardMs: number;
  backwardMs: number;
  gapMs: number;
  skewMs: number;
  tailMs: number;
  optimizerMs: number;
  numParameters: number;
}

/** What the tables do not say: the job that was probed, and where. */
export interface Probed {
  ranks: number;
  sequenceLength: number;
  hiddenSize: number;
  modelFingerprint: string;
}

/** The cluster of a probed machine, one node of `ranks` ranks. */
export function probedCluster(tables: ProbeTables, probed: Probed): Cluster {
  const link = linkOf(tables.messages);
  return {
    name: `${probed.ranks} x ${tables.device}`,
    accelerator: {
      name: tables.device,
      memoryBytes: tables.memoryBytes,
      memoryBandwidth: tables.memoryBandwidth,
      peakFlops: { fp32: tables.flopsAlone },
      achievable: { fp32: Math.min(1, tables.flopsTogether / tables.flopsAlone) },
    },
    nodes: 1,
    gpusPerNode: probed.ranks,
    intra: link,
    inter: link,
    gpusPerDomain: probed.ranks,
    origin: "probe",
    measured: measuredOf(tables, probed),
  };
}

/** Curve of rates, latency taken off; a size that took no longer than the smallest has no rate. */
function linkOf(messages: ProbeTables["messages"]): Cluster["intra"] {
  const latencyMs = Math.min(...messages.map(([, ms]) => ms));
  const curve = messages
    .filter(([, ms]) => ms > 1.05 * latencyMs)
    .map(([bytes, ms]): [number, number] => [bytes, (bytes / (ms - latencyMs)) * 1000]);
  if (Number.isFinite(latencyMs) && curve.length > 0) return { latencyMs, curve };
  // A single rank sends nothing; its rate matters to nobody.
  return { latencyMs: 0, curve: [[1, 1e12]] };
}

function measuredOf(tables: ProbeTables, probed: Probed): Measured {
  const { sequenceLength, ranks } = probed;
  const plain = tables.steps.filter((row) => !row.recompute);
  const shallow = plain.filter((row) => row.layers === Math.min(...plain.map((r) => r.layers)));
  const pairs = shallow.flatMap((low) => {
    const deep = plain.find((row) => row.layers > low.layers && samePlace(row, low));
    return deep === undefined ? [] : [{ low, deep }];
  });
  const layers = pairs
    .filter(({ low }) => low.dataParallel === 1)
    .flatMap(({ low, deep }) => layersAt(low, deep, tables, sequenceLength));
  const steps = pairs.map(({ low, deep }): StepTime => {
    const tailMsPerLayer = slope(low, deep, "tailMs");
    const skewMsPerLayer = slope(low, deep, "skewMs");
    return {
      ...placeOf(low, sequenceLength),
      dataParallel: low.dataParallel,
      tailMs: rest(low, "tailMs", tailMsPerLayer),
      tailMsPerLayer,
      skewMs: rest(low, "skewMs", skewMsPerLayer),
      skewMsPerLayer,
    };
  });
  const full = plain.filter((row) => row.busyRanks === ranks);
  const perMillion = full.map((row) => row.optimizerMs / (row.numParameters / 1e6));
  const measured: Measured = {
    modelFingerprint: probed.modelFingerprint,
    ranks,
    layers,
    steps,
    hops: [],
    optimizerMsPerMillionParameters: middle(perMillion),
    stepOverheadMs: Math.min(...steps.map(({ tailMs }) => tailMs)),
    allReduceMs: tables.allReduce,
    messageMs: tables.messages,
    activationBytesPerSequence: sequenceLength * probed.hiddenSize * 4,
  };
  const hops = tables.pipelines.map((row) => ({
    ...placeOf(row, sequenceLength),
    dataParallel: row.dataParallel,
    pipelineParallel: row.pipelineParallel,
    hopMs: hopOf(measured, row),
  }));
  return { ...measured, hops };
}

/** The message time with which the simulation takes as long as the pipeline did. */
function hopOf(measured: Measured, row: PipelineRow): number {
  const layout = {
    ...row,
    layersPerStage: Array<number>(row.pipelineParallel).fill(1),
    recomputePerLayer: Array<number>(row.pipelineParallel).fill(0),
    schedule: "1f1b" as const,
  };
  let [low, high] = [0, row.pipelineMs];
  for (let round = 0; round < HOP_ROUNDS; round++) {
    const middle = (low + high) / 2;
    if (probedPipelineMs(measured, layout, middle) < row.pipelineMs) low = middle;
    else high = middle;
  }
  return low;
}

/** A layer is the difference of two depths; what is left of a stage after its parts is its chunk's own. */
function layersAt(
  low: StepRow,
  deep: StepRow,
  tables: ProbeTables,
  sequenceLength: number,
): LayerTime[] {
  const place = placeOf(low, sequenceLength);
  const forwardMs = slope(low, deep, "forwardMs");
  const backwardMs = slope(low, deep, "backwardMs");
  const again = tables.steps.find((row) => row.recompute && samePlace(row, low));
  // Without a measurement of its own, recompute is one more forward pass.
  const recomputeFullMs =
    again === undefined
      ? forwardMs
      : Math.max(0, (again.backwardMs - deep.backwardMs) / again.layers);
  const parts = tables.edges.filter((edge) => samePlace(edge, low));
  const edges = (name: "forwardMs" | "backwardMs") =>
    parts.reduce((total, edge) => total + edge[name], 0);
  const chunk = {
    forwardMs: Math.max(0, rest(low, "forwardMs", forwardMs) + low.gapMs - edges("forwardMs")),
    backwardMs: Math.max(0, rest(low, "backwardMs", backwardMs) - edges("backwardMs")),
  };
  return [
    { kind: "moe", ...place, forwardMs, backwardMs, recomputeFullMs },
    { kind: "chunk", ...place, ...chunk, recomputeFullMs: 0 },
    ...parts.map(({ kind, forwardMs, backwardMs }) => ({
      kind,
      ...place,
      forwardMs,
      backwardMs,
      recomputeFullMs: 0,
    })),
  ];
}

type TimeName = "forwardMs" | "backwardMs" | "skewMs" | "tailMs";

function slope(low: StepRow, deep: StepRow, name: TimeName): number {
  return Math.max(0, (deep[name] - low[name]) / (deep.layers - low.layers));
}

function rest(low: StepRow, name: TimeName, perLayer: number): number {
  return Math.max(0, low[name] - perLayer * low.layers);
}

function placeOf(row: Place, sequenceLength: number) {
  const { tensorParallel, microBatchSize, busyRanks } = row;
  return { tensorParallel, microBatchSize, sequenceLength, busyRanks };
}

function samePlace(a: Place, b: Place): boolean {
  return (
    a.busyRanks === b.busyRanks &&
    a.tensorParallel === b.tensorParallel &&
    a.dataParallel === b.dataParallel &&
    a.microBatchSize === b.microBatchSize
  );
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
