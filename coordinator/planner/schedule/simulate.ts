import type { Work } from "../work.ts";

/** Start and end of one operation, in the unit of the stages' work. */
export interface Operation {
  stage: number;
  microBatch: number;
  kind: "forward" | "backward";
  start: number;
  end: number;
}

/** Forwards a stage does before its first backward under 1F1B. */
export function warmupForwards(stage: number, numStages: number, numMicroBatches: number): number {
  return Math.min(numMicroBatches, numStages - stage - 1);
}

/**
 * Time one optimizer step takes under 1F1B with unequal stages, communication
 * apart. Exact: every stage runs its operations in 1F1B order, each as soon as
 * the stage is free and its input is there.
 *
 * @param record called with every operation, stage by stage in causal order
 */
export function simulate1F1B(
  stages: readonly Work[],
  numMicroBatches: number,
  record?: (operation: Operation) => void,
): number {
  const numStages = stages.length;
  const unknown = () => new Float64Array(numMicroBatches).fill(Number.NaN);
  const forwardEnd = stages.map(unknown);
  const backwardEnd = stages.map(unknown);
  const free = new Float64Array(numStages);
  const done = new Int32Array(numStages);

  /** When an operation's input is there; NaN while nobody knows. */
  const ready = (stage: number, { kind, microBatch }: Step) => {
    if (kind === "forward") return stage === 0 ? 0 : at(forwardEnd, stage - 1, microBatch);
    const isLast = stage === numStages - 1;
    return isLast ? at(forwardEnd, stage, microBatch) : at(backwardEnd, stage + 1, microBatch);
  };

  // Stages wait for each other in both directions; sweep until all are through.
  for (let left = 2 * numStages * numMicroBatches; left > 0; ) {
    for (const [stage, work] of stages.entries()) {
      const warmup = warmupForwards(stage, numStages, numMicroBatches);
      while ((done[stage] as number) < 2 * numMicroBatches) {
        const step = stepAt(done[stage] as number, warmup, numMicroBatches);
        const start = Math.max(free[stage] as number, ready(stage, step));
        if (Number.isNaN(start)) break;
        const end = start + work[step.kind];
        const ends = step.kind === "forward" ? forwardEnd : backwardEnd;
        (ends[stage] as Float64Array)[step.microBatch] = end;
        free[stage] = end;
        done[stage] = (done[stage] as number) + 1;
        left--;
        record?.({ stage, ...step, start, end });
      }
    }
  }
  return Math.max(...free);
}

type Step = Pick<Operation, "kind" | "microBatch">;

/** The n-th operation of a stage: warm-up forwards, pairs, remaining backwards. */
function stepAt(n: number, warmup: number, numMicroBatches: number): Step {
  if (n < warmup) return { kind: "forward", microBatch: n };
  const inPairs = n - warmup;
  if (inPairs >= 2 * (numMicroBatches - warmup)) {
    return { kind: "backward", microBatch: n - numMicroBatches };
  }
  return inPairs % 2 === 0
    ? { kind: "forward", microBatch: warmup + inPairs / 2 }
    : { kind: "backward", microBatch: (inPairs - 1) / 2 };
}

function at(ends: readonly Float64Array[], stage: number, microBatch: number): number {
  return (ends[stage] as Float64Array)[microBatch] as number;
}
