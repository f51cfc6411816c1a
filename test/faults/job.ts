/** The jobs of the fault matrix: small enough that 8 ranks make a step in some 50 ms on two cores. */
export type JobKind =
  /** Strict control: every figure repeats, and ranks wait for the coordinator at each step. */
  | "strict"
  /** Ranks wait for nobody; figures repeat because the controller has nothing to say. */
  | "free"
  /** Legal on 4, 6 and 8 ranks. */
  | "elastic";

/** Sequences in a step: what 2 replicas share, or 2, 3 and 4. */
export const GLOBAL_BATCH_SIZES: Record<JobKind, number> = { strict: 4, free: 4, elastic: 12 };
export const CHECKPOINT_EVERY_STEPS = 5;

/**
 * Sums in another order leave weights that differ by rounding, times this rate. With a high
 * one a token that is near a tie goes to another expert now and then, or is dropped instead,
 * and the loss jumps by more than the matrix allows.
 */
const LEARNING_RATES: Record<JobKind, number> = { strict: 0.005, free: 0.005, elastic: 0.0005 };

const LAYOUTS = {
  strict: { pipelineParallel: 2, tensorParallel: 2, scheme: "edp" },
  free: { pipelineParallel: 2, tensorParallel: 2, scheme: "edp" },
  elastic: { tensorParallel: 2, scheme: "edp" },
} as const;

/** As a job file's text: JSON is YAML. */
export function jobText(kind: JobKind, steps: number): string {
  const controller =
    kind === "strict"
      ? { strict: true, gain: 0.02, initialCoefficient: 0.005 }
      : { strict: false, gain: 0, initialCoefficient: 0 };
  const learningRate = LEARNING_RATES[kind];
  return JSON.stringify({
    name: kind,
    model: {
      ...{ layers: 2, hiddenSize: 32, heads: 2, kvHeads: 2, ffnHiddenSize: 32, vocabSize: 256 },
    },
    data: { path: "texts", validationFraction: 0.2 },
    training: {
      ...{
        steps,
        globalBatchSize: GLOBAL_BATCH_SIZES[kind],
        microBatchSize: 1,
        sequenceLength: 32,
      },
      // A rate that stays makes a short run the beginning of a long one.
      ...{ learningRate, minLearningRate: learningRate, warmupSteps: 4, sampleBytes: 0 },
    },
    moe: { experts: 4, topK: 2, capacityFactor: 1.0 },
    controller,
    layout: LAYOUTS[kind],
    cluster: { ranks: 8, device: "cpu" },
    checkpoint: { everySteps: CHECKPOINT_EVERY_STEPS, keep: 3 },
  });
}
