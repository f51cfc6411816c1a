import { MoestroError } from "../../errors.ts";
import type { ScheduleName } from "../plan-document.ts";
import { cachedTable } from "../schedule/cached-table.ts";
import { rankOf } from "../schedule/table.ts";
import type { LayerTime, Measured } from "./measured.ts";
import { type SharedPass, sharedPipelineMs } from "./shared-pipeline.ts";

/** A layout of the engine under a schedule, with its batch cut up. */
export interface ProbedLayout {
  schedule: ScheduleName;
  /** Decoder layers of each stage, first to last. */
  layersPerStage: readonly number[];
  /** Share of full recompute that each layer does, first layer to last. */
  recomputePerLayer: readonly number[];
  tensorParallel: number;
  pipelineParallel: number;
  dataParallel: number;
  microBatchSize: number;
  numMicroBatches: number;
}

/**
 * Milliseconds of one optimizer step of the engine on the probed machine: the
 * schedule of the measured layers, then the measured rest of a step.
 *
 * Ranks may outnumber cores, so an operation's time depends on how many ranks work
 * at once. A stage that waits leaves its cores to the others; the simulation runs
 * every operation at the rate that was measured for the ranks at work at the time.
 *
 * @throws MoestroError `invalid_input` when the probe did not measure this layout
 */
export function probedStepMs(measured: Measured, layout: ProbedLayout): number {
  const { tensorParallel, dataParallel, pipelineParallel } = layout;
  const busyPerStage = tensorParallel * dataParallel;
  const pipelineMs = probedPipelineMs(measured, layout, hopTime(measured, layout));
  const step = nearest(
    measured.steps.filter(
      (row) => row.tensorParallel === tensorParallel && row.dataParallel === dataParallel,
    ),
    layout,
    busyPerStage * pipelineParallel,
  );
  const deepest = Math.max(...layersOfRanks(layout));
  const tailMs = step.tailMs + step.tailMsPerLayer * deepest;
  // A pipeline makes ranks wait for each other all along.
  const skewMs = pipelineParallel > 1 ? 0 : step.skewMs + step.skewMsPerLayer * deepest;
  return pipelineMs + tailMs + skewMs;
}

/** Milliseconds of all micro-batches, with so many for a message from stage to stage. */
export function probedPipelineMs(
  measured: Measured,
  layout: ProbedLayout,
  messageMs: number,
): number {
  const busyPerStage = layout.tensorParallel * layout.dataParallel;
  return sharedPipelineMs({
    table: cachedTable({
      schedule: layout.schedule,
      numRanks: layout.pipelineParallel,
      numMicroBatches: layout.numMicroBatches,
      chunksPerRank: layout.layersPerStage.length / layout.pipelineParallel,
    }),
    stages: stagePasses(measured, layout),
    messageMs,
    busyRanks: (ranks) => Math.min(measured.ranks, ranks * busyPerStage),
  });
}

/** Decoder layers of each pipeline rank. */
function layersOfRanks({ schedule, pipelineParallel, layersPerStage }: ProbedLayout): number[] {
  const layers = new Array<number>(pipelineParallel).fill(0);
  for (const [stage, count] of layersPerStage.entries()) {
    const rank = rankOf(schedule, pipelineParallel, stage);
    layers[rank] = (layers[rank] ?? 0) + count;
  }
  return layers;
}

/** The hop of this very pipeline if it was measured, else a message on an idle machine. */
function hopTime(measured: Measured, layout: ProbedLayout): number {
  const { tensorParallel, dataParallel, pipelineParallel, microBatchSize } = layout;
  if (pipelineParallel === 1) return 0;
  const hop = measured.hops.find(
    (row) =>
      row.tensorParallel === tensorParallel &&
      row.dataParallel === dataParallel &&
      row.pipelineParallel === pipelineParallel &&
      row.microBatchSize === microBatchSize,
  );
  const bytes = (measured.activationBytesPerSequence * microBatchSize) / tensorParallel;
  return hop?.hopMs ?? messageTime(measured, bytes);
}

/** Forward and backward of each stage as functions of the ranks at work. */
function stagePasses(measured: Measured, layout: ProbedLayout): SharedPass[] {
  let first = 0;
  return layout.layersPerStage.map((count, stage) => {
    const recomputed = layout.recomputePerLayer
      .slice(first, first + count)
      .reduce((sum, share) => sum + share, 0);
    first += count;
    const parts: [kind: LayerTime["kind"], times: number][] = [
      ["chunk", 1],
      ["moe", count],
    ];
    if (stage === 0) parts.push(["embedding", 1]);
    if (stage === layout.layersPerStage.length - 1) parts.push(["head", 1]);
    const rates = parts.map(([kind, times]) => ({ times, at: rateOf(measured, layout, kind) }));
    const layer = rateOf(measured, layout, "moe");
    const plainMs = (busy: number) =>
      rates.reduce((total, { times, at }) => total + times * at(busy).backwardMs, 0);
    return {
      forwardMs: (busy) =>
        rates.reduce((total, { times, at }) => total + times * at(busy).forwardMs, 0),
      backwardMs: (busy) => plainMs(busy) + recomputed * layer(busy).recomputeFullMs,
      // A product's two gradients are of equal work; the probe times them together.
      weightGradMs: (busy) => plainMs(busy) / 2,
    };
  });
}

type Times = Pick<LayerTime, "forwardMs" | "backwardMs" | "recomputeFullMs">;

/** A part's times by the ranks at work, linear between those measured. */
function rateOf(
  measured: Measured,
  layout: ProbedLayout,
  kind: LayerTime["kind"],
): (busy: number) => Times {
  const rows = measured.layers
    .filter((row) => row.kind === kind && row.tensorParallel === layout.tensorParallel)
    .filter((row) => row.microBatchSize === layout.microBatchSize)
    .toSorted((a, b) => a.busyRanks - b.busyRanks);
  if (rows.length === 0) throw notMeasured(layout);
  return (busy) => {
    const above = rows.find((row) => row.busyRanks >= busy) ?? rows.at(-1);
    const below = rows.findLast((row) => row.busyRanks <= busy) ?? rows[0];
    if (above === undefined || below === undefined) throw notMeasured(layout);
    const span = above.busyRanks - below.busyRanks;
    const share = span === 0 ? 0 : (busy - below.busyRanks) / span;
    const mix = (name: keyof Times) => below[name] + share * (above[name] - below[name]);
    return {
      forwardMs: mix("forwardMs"),
      backwardMs: mix("backwardMs"),
      recomputeFullMs: mix("recomputeFullMs"),
    };
  };
}

/** Milliseconds of a message, linear between the sizes measured. */
function messageTime({ messageMs }: Measured, bytes: number): number {
  const above = messageMs.find(([size]) => size >= bytes) ?? messageMs.at(-1);
  const below = messageMs.findLast(([size]) => size <= bytes) ?? messageMs[0];
  if (above === undefined || below === undefined) return 0;
  const span = above[0] - below[0];
  return span === 0 ? below[1] : below[1] + ((bytes - below[0]) / span) * (above[1] - below[1]);
}

/** The row of this micro-batch size with the most similar number of ranks at work. */
function nearest<Row extends { microBatchSize: number; busyRanks: number }>(
  rows: readonly Row[],
  layout: ProbedLayout,
  busy: number,
): Row {
  const [best] = rows
    .filter((row) => row.microBatchSize === layout.microBatchSize)
    .toSorted((a, b) => Math.abs(a.busyRanks - busy) - Math.abs(b.busyRanks - busy));
  if (best === undefined) throw notMeasured(layout);
  return best;
}

function notMeasured(layout: ProbedLayout): MoestroError {
  const { tensorParallel, dataParallel, microBatchSize } = layout;
  return new MoestroError(
    "invalid_input",
    `profile: tensorParallel ${tensorParallel}, dataParallel ${dataParallel}, microBatchSize ${microBatchSize} was not measured; run moestro probe with this job and as many ranks`,
  );
}
