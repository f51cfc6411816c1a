/**
 * The records a run leaves in its folder, one type a file: the single
 * definition that the run writes by and that the report and the terminal view
 * read by. Durations are milliseconds unless a name says seconds, sizes bytes,
 * rates 0..1, losses nats a token.
 */

/** One MoE layer's share of a step, summed over all ranks. */
export type LayerRecord = {
  /** Zero-based index of the decoder layer. */
  layer: number;
  /** Dropped assignments over routed assignments (tokens × topK). */
  dropRate: number;
  /** The coefficient α the step was trained with. */
  auxCoeff: number;
  /** The auxiliary loss before it is multiplied by α. */
  auxLoss: number;
  /** Assignments the gate routed to each expert, before any was dropped. */
  expertLoad: number[];
  /** Router z-loss, mean of logsumexp(logits)² over tokens; only where the job sets one. */
  zLoss?: number;
  /** Mean cosine between pairs of the layer's experts; only on steps that measured it. */
  expertSimilarity?: number;
};

export type StageMemoryRecord = { stage: number; peakBytes: number };

export type MemoryRecord = {
  /** The largest peak of any rank. */
  peakBytes: number;
  stages: StageMemoryRecord[];
};

/** Where one pipeline stage's time of a step went, the slowest rank's figures. */
export type StageRecord = { stage: number; computeMs: number; communicationMs: number };

/**
 * Sums over all steps up to a line's, itself included, that count: what a run's figures
 * are made of without reading the lines before. It goes back with the run.
 */
export type SoFarRecord = {
  steps: number;
  stepMs: number;
  /** Of each step the mean over layers. */
  dropRate: number;
  /** The newest; absent before the first validation. */
  validationLoss?: number;
};

/** `metrics.jsonl`: one line an optimizer step. */
export type MetricsRecord = {
  /** One-based: the first optimizer step is 1. */
  step: number;
  loss: number;
  gradNorm: number;
  lr: number;
  /**
   * Steps that this line stands for, `step` being the last: agents that had to keep more
   * than they could join some. Figures are means over them, expert loads sums. 1 if absent.
   */
  numSteps?: number;
  /** Tokens of this step over all ranks. */
  tokens: number;
  stepMs: number;
  tokensPerSecond: number;
  layers: LayerRecord[];
  memory: MemoryRecord;
  stages: StageRecord[];
  /** Only on steps after which the validation loss was measured. */
  validationLoss?: number;
  /** In the file, on each line. */
  soFar?: SoFarRecord;
  /** ISO 8601, UTC. */
  time: string;
};

/** `events.jsonl`: one line for whatever happened that is not a step. */
export type EventRecord = {
  /** ISO 8601, UTC. */
  time: string;
  /** A dotted name, such as `run.started`. */
  event: string;
  /** One sentence for a person. */
  message: string;
  /** Whatever else belongs to the event, as plain JSON. */
  [detail: string]: unknown;
};

export type RunOutcome = "succeeded" | "stopped" | "failed";

/** `summary.json`: written once, when the run has ended. Null: not measured. */
export type SummaryRecord = {
  runId: string;
  name: string;
  status: RunOutcome;
  /** One sentence: why the run ended. */
  reason: string;
  steps: number;
  firstLoss: number | null;
  finalLoss: number | null;
  validationLoss: number | null;
  tokensPerSecond: number | null;
  /** Mean over layers of the first steps' drop rates. */
  meanDropRateFirst: number | null;
  /** Mean over layers of the last steps' drop rates. */
  meanDropRateLast: number | null;
  wallSeconds: number;
  trainSeconds: number | null;
  /** Text sampled from the trained model. */
  sample?: string | null;
  /** Further figures, as plain JSON. */
  [detail: string]: unknown;
};

export type TimelineKind = "forward" | "backward" | "optimizer";

export type TimelineEventRecord = {
  kind: TimelineKind;
  /** Zero-based; -1 where no micro-batch belongs to the event. */
  microBatch: number;
  /** Since the start of the step. */
  startMs: number;
  endMs: number;
};

export type TimelineStageRecord = { stage: number; events: TimelineEventRecord[] };

/** `timeline.json`: the measured schedule of one step, one track a stage. */
export type TimelineRecord = { step: number; stages: TimelineStageRecord[] };
