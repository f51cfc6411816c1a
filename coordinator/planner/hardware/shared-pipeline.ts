/** One stage's passes: milliseconds of a micro-batch when so many ranks are at work at once. */
export interface SharedPass {
  forwardMs: (busyRanks: number) => number;
  backwardMs: (busyRanks: number) => number;
}

export interface SharedPipeline {
  stages: readonly SharedPass[];
  numMicroBatches: number;
  /** A message from stage to stage; it occupies no rank. */
  messageMs: number;
  /** Ranks at work while so many stages are. */
  busyRanks: (stages: number) => number;
}

interface Running {
  operation: Operation;
  /** Share of it that is still to do. */
  left: number;
}

interface Operation {
  kind: "forwardMs" | "backwardMs";
  microBatch: number;
}

/**
 * Makespan of 1F1B on stages that share cores, in milliseconds. Between two events
 * the stages at work stay the same, and each proceeds at the rate measured for them.
 */
export function sharedPipelineMs(pipeline: SharedPipeline): number {
  const { stages, numMicroBatches, messageMs } = pipeline;
  const queues = stages.map((_, stage) =>
    oneForwardOneBackward(stage, stages.length, numMicroBatches),
  );
  const running: (Running | undefined)[] = stages.map(() => undefined);
  /** When each stage's forward and backward of each micro-batch ended. */
  const ended = {
    forwardMs: stages.map(() => new Map<number, number>()),
    backwardMs: stages.map(() => new Map<number, number>()),
  };
  let now = 0;
  while (queues.some((queue) => queue.length > 0) || running.some((entry) => entry !== undefined)) {
    let nextStart = Number.POSITIVE_INFINITY;
    for (const [stage, queue] of queues.entries()) {
      const operation = queue[0];
      if (operation === undefined || running[stage] !== undefined) continue;
      const ready = readyAt(operation, stage);
      if (ready <= now) {
        running[stage] = { operation, left: 1 };
        queue.shift();
      } else nextStart = Math.min(nextStart, ready);
    }
    const busy = pipeline.busyRanks(running.filter((entry) => entry !== undefined).length);
    const durations = running.map((entry, stage) =>
      entry === undefined ? 0 : (stages[stage]?.[entry.operation.kind](busy) ?? 0),
    );
    const nextEnd = Math.min(
      ...running.map((entry, stage) =>
        entry === undefined ? Number.POSITIVE_INFINITY : now + entry.left * (durations[stage] ?? 0),
      ),
    );
    const then = Math.min(nextStart, nextEnd);
    for (const [stage, entry] of running.entries()) {
      if (entry === undefined) continue;
      const duration = durations[stage] ?? 0;
      const isDone = now + entry.left * duration <= then;
      entry.left -= duration === 0 ? 1 : (then - now) / duration;
      if (!isDone) continue;
      ended[entry.operation.kind][stage]?.set(entry.operation.microBatch, then);
      running[stage] = undefined;
    }
    now = then;
  }
  return now;

  function readyAt({ kind, microBatch }: Operation, stage: number): number {
    const isForward = kind === "forwardMs";
    if (isForward && stage === 0) return 0;
    if (!isForward && stage === stages.length - 1) return 0;
    const neighbour = isForward ? stage - 1 : stage + 1;
    return (ended[kind][neighbour]?.get(microBatch) ?? Number.POSITIVE_INFINITY) + messageMs;
  }
}

/** A stage's operations in 1F1B's order: warm-up, one forward and one backward in turn, the rest. */
function oneForwardOneBackward(stage: number, numStages: number, count: number): Operation[] {
  const warmUp = Math.min(count, numStages - stage - 1);
  const order: Operation[] = [];
  for (let microBatch = 0; microBatch < warmUp; microBatch++) {
    order.push({ kind: "forwardMs", microBatch });
  }
  for (let microBatch = 0; microBatch < count; microBatch++) {
    if (microBatch + warmUp < count) {
      order.push({ kind: "forwardMs", microBatch: microBatch + warmUp });
    }
    order.push({ kind: "backwardMs", microBatch });
  }
  return order;
}
