import { formatCount } from "../report/format.ts";
import type { PlanChoice, PlanDocument, PlannedStage } from "./plan-document.ts";
import { table, wrap } from "./text-table.ts";

const WIDTH = 100;

/** A plan document for a person: the best few, the chosen one stage by stage, and why. */
export function describeDocument(document: PlanDocument, { color }: { color: boolean }): string {
  const heading = (text: string) => (color ? `\u001b[1m${text}\u001b[0m` : text);
  const { best } = document;
  return [
    heading(`Plan for ${document.job}`),
    ...describeProblem(document),
    "",
    heading("Best layouts (different in kind)"),
    ...indent(comparison([best, ...document.alternatives])),
    "",
    heading("Chosen: stages"),
    ...indent(stageTable(best)),
    "",
    heading("Chosen: where a step's time goes (mean rank)"),
    ...indent(breakdown(best)),
    "",
    heading("Against"),
    ...indent(baselines(document)),
    "",
    ...sensitivity(document, heading),
    heading("Why"),
    ...document.reasons.flatMap((reason) => wrap(reason, WIDTH, "  - ", "    ")),
    "",
    `  ${document.search.candidates} candidates in ${document.search.ms.toFixed(0)} ms: ${document.search.evaluated} cut into stages and simulated, the rest ruled out by bounds`,
    "",
  ].join("\n");
}

function describeProblem({ model, cluster, batch }: PlanDocument): string[] {
  const experts = model.experts > 0 ? `, ${model.experts} experts top-${model.topK}` : ", dense";
  const capacity =
    model.experts === 0
      ? ""
      : batch.capacityFactor === "dropless"
        ? `, dropless (imbalance ${batch.imbalance})`
        : `, capacity factor ${batch.capacityFactor}`;
  return [
    `  ${model.name}: ${model.layers} layers${experts}; ${formatCount(model.totalParameters)} parameters, ${formatCount(model.activeParameters)} active`,
    `  ${cluster.gpus} x ${cluster.name} (${cluster.nodes} nodes of ${cluster.gpusPerNode}), ${batch.globalBatchSize} sequences of ${batch.sequenceLength} tokens, ${batch.precision}${capacity}`,
  ];
}

/** One row a choice; used for the best few and for `--compare`. */
export function comparison(choices: readonly PlanChoice[]): string[] {
  const [first] = choices;
  const rows = choices.map((choice) => {
    const { layout, predicted } = choice;
    const slower = first === undefined ? 1 : predicted.stepTimeMs / first.predicted.stepTimeMs;
    return [
      layout.scheme,
      String(layout.tensorParallel),
      String(layout.contextParallel),
      String(layout.pipelineParallel),
      String(layout.virtualPipeline),
      String(layout.dataParallel),
      String(layout.expertParallel),
      String(layout.expertTensorParallel),
      `${layout.microBatchSize}x${layout.numMicroBatches}`,
      layout.schedule,
      formatMs(predicted.stepTimeMs),
      choice === first ? "" : signed(slower - 1),
      predicted.tokensPerSecondPerGpu.toFixed(0),
      `${(100 * predicted.mfu).toFixed(1)} %`,
      gigabytes(Math.max(...predicted.memoryBytesPerStage)),
    ];
  });
  const heads = [
    "scheme",
    "tp",
    "cp",
    "pp",
    "vpp",
    "dp",
    "ep",
    "etp",
    "batch",
    "schedule",
    "step",
    "",
    "tok/s/gpu",
    "mfu",
    "memory",
  ];
  return table([heads, ...rows]);
}

function stageTable(choice: PlanChoice): string[] {
  const { stages, layout, predicted } = choice;
  const limit = `memory limit ${gigabytes(predicted.memoryLimitBytes)} a GPU`;
  if (layout.virtualPipeline > 1) return [...rankTable(choice), limit];
  const rows = stages.map((stage) => [
    String(stage.pipelineRank),
    layersOf(stage),
    recomputeOf(stage),
    stage.forwardMs.toFixed(2),
    stage.backwardMs.toFixed(2),
    stage.recomputeMs.toFixed(2),
    String(stage.inFlightMicroBatches),
    gigabytes(stage.memoryBytes),
  ]);
  const heads = [
    "rank",
    "layers",
    "recompute",
    "fwd ms",
    "bwd ms",
    "recompute ms",
    "in flight",
    "memory",
  ];
  return [...table([heads, ...rows]), limit];
}

/** One row a rank, whose chunks are many: --json has each. */
function rankTable({ stages, predicted }: PlanChoice): string[] {
  const rows = predicted.memoryBytesPerStage.map((memoryBytes, rank) => {
    const own = stages.filter((stage) => stage.pipelineRank === rank);
    const sum = (pick: (stage: PlannedStage) => number) =>
      own.reduce((total, stage) => total + pick(stage), 0);
    return [
      String(rank),
      runs(own.map(layersOf)),
      recomputeOf({ recompute: own.flatMap(({ recompute }) => recompute) }),
      sum((stage) => stage.forwardMs).toFixed(2),
      sum((stage) => stage.backwardMs).toFixed(2),
      sum((stage) => stage.recomputeMs).toFixed(2),
      runs(own.map(({ inFlightMicroBatches }) => String(inFlightMicroBatches))),
      gigabytes(memoryBytes),
    ];
  });
  const heads = [
    "rank",
    "layers by chunk",
    "recompute",
    "fwd ms",
    "bwd ms",
    "recompute ms",
    "in flight",
    "memory",
  ];
  return table([heads, ...rows]);
}

/** At most so many chunks are listed one by one. */
const MOST_LISTED = 4;

/** The first and the last of many, the others counted. */
function runs(values: readonly string[]): string {
  if (values.length <= MOST_LISTED) return values.join(", ");
  const [first = "", second = ""] = values;
  return `${first}, ${second}, (${values.length - 3} more), ${values.at(-1)}`;
}

function layersOf(stage: PlannedStage): string {
  const around = [
    stage.hasEmbedding ? "embedding" : "",
    stage.layers === null ? "" : rangeOf(stage.layers),
    stage.mtpLayers > 0 ? `${stage.mtpLayers} mtp` : "",
    stage.hasHead ? "head" : "",
  ];
  return around.filter((text) => text !== "").join(" + ");
}

function rangeOf([first, last]: [number, number]): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function recomputeOf({ recompute }: Pick<PlannedStage, "recompute">): string {
  const count = (kind: string) => recompute.filter((other) => other === kind).length;
  const parts = ["full", "selective"].flatMap((kind) =>
    count(kind) > 0 ? [`${count(kind)} ${kind}`] : [],
  );
  return parts.length === 0 ? "none" : parts.join(", ");
}

function breakdown({ predicted, certificate }: PlanChoice): string[] {
  const { breakdown: part, stepTimeMs } = predicted;
  const row = (name: string, ms: number) => [
    name,
    formatMs(ms),
    `${((100 * ms) / stepTimeMs).toFixed(1)} %`,
  ];
  return [
    ...table([
      row("compute", part.computeMs),
      row("recompute", part.recomputeMs),
      row("communication", part.communicationMs),
      row("bubble: ideal", part.idealBubbleMs),
      row("bubble: imbalance", part.imbalanceBubbleMs),
      row("bubble: recompute", part.recomputeBubbleMs),
      row("bubble: communication", part.communicationBubbleMs),
      row("gradients and optimizer", part.optimizerMs),
      row("step", stepTimeMs),
    ]),
    `pipeline simulated ${formatMs(certificate.simulatedMs)}, bound ${formatMs(certificate.boundMs)}, gap ${(100 * certificate.gap).toFixed(3)} % (${certificate.covers})`,
    `MFU counts ${predicted.mfuConvention}`,
  ];
}

const BASELINES = {
  uniform: "uniform stages, one recompute for all",
  edp: "best with scheme edp",
  ep: "best with scheme ep",
  etp: "best with scheme etp",
  unrestricted: "best that nothing need express",
} as const;

function baselines({ best, baselines: known }: PlanDocument): string[] {
  const names = Object.keys(BASELINES) as (keyof typeof BASELINES)[];
  const rows = names.flatMap((name) => {
    const choice = known[name];
    return choice === undefined ? [] : [baseline(BASELINES[name], choice, best)];
  });
  return table(rows);
}

function baseline(label: string, choice: PlanChoice | null, best: PlanChoice): string[] {
  if (choice === null) return [label, "does not fit", "", ""];
  const change = choice.predicted.stepTimeMs / best.predicted.stepTimeMs - 1;
  const { layout } = choice;
  return [
    label,
    formatMs(choice.predicted.stepTimeMs),
    signed(change),
    `tp ${layout.tensorParallel} pp ${layout.pipelineParallel} dp ${layout.dataParallel} ep ${layout.expertParallel} etp ${layout.expertTensorParallel} ${layout.schedule}`,
  ];
}

function sensitivity(document: PlanDocument, heading: (text: string) => string): string[] {
  if (document.sensitivity.length === 0) return [];
  const rows = document.sensitivity.map(({ what, change, stepTimeMs, changeOfStep }) => [
    what,
    change,
    formatMs(stepTimeMs),
    signed(changeOfStep),
  ]);
  return [heading("If a figure is off, the chosen plan's step"), ...indent(table(rows)), ""];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function signed(share: number): string {
  return `${share >= 0 ? "+" : ""}${(100 * share).toFixed(1)} %`;
}

function formatMs(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(ms >= 10 ? 1 : 3)} ms`;
}

function gigabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
