import { type Pass, type ScheduleSizes, type ScheduleTable, tableOf } from "./table.ts";
import type { PassKind } from "./timeline.ts";

/** Why these sizes cannot run DualPipeV; undefined when they can. */
export function dualPipeVIllegal({ numRanks, numMicroBatches }: ScheduleSizes): string | undefined {
  if (numRanks < 2) return "DualPipeV needs at least 2 pipeline ranks";
  if (numMicroBatches < 2 * numRanks) {
    return `DualPipeV needs 2 micro-batches a rank: at least ${2 * numRanks}, not ${numMicroBatches}`;
  }
  return undefined;
}

/**
 * DualPipeV (deepseek-ai/DualPipe): rank r holds stages r and 2p − 1 − r and runs
 * a forward of one chunk together with a backward of the other, the communication
 * of each under the computing of the other. Check `dualPipeVIllegal` first.
 */
export function dualPipeV(sizes: ScheduleSizes): ScheduleTable {
  return tableOf("dualpipev", sizes, 2, (rank) => passesOf(sizes, rank));
}

function passesOf({ numRanks, numMicroBatches }: ScheduleSizes, rank: number): Pass[] {
  const { passes, forward, backward, inputGrad, weightGrad, together } = writer();
  const before = numRanks - rank - 1;
  const after = rank + 1;
  repeat(2 * before, () => forward(0));
  repeat(after, () => {
    forward(0);
    forward(1);
  });
  repeat(before, () => {
    inputGrad(1);
    weightGrad();
    forward(1);
  });
  repeat(numMicroBatches - 2 * numRanks + after, (index) => {
    if (index === 0 && before === 0) {
      // On the turn of the V the two would wait for each other's neighbours.
      forward(0);
      backward(1);
    } else {
      together(0, 1);
    }
    together(1, 0);
  });
  repeat(before, () => {
    backward(1);
    together(1, 0);
  });
  // The second half of the last backwards leaves weight gradients for the drain.
  repeat(2 * after, (index) => {
    const chunk = 1 - (index % 2);
    if (index < after) backward(chunk);
    else inputGrad(chunk);
  });
  repeat(before, () => {
    weightGrad();
    inputGrad(0);
  });
  repeat(after, weightGrad);
  return passes;
}

/** Counts micro-batches of each kind and chunk; weight gradients come in the order they were left. */
function writer() {
  const passes: Pass[] = [];
  const numForward = [0, 0];
  const numBackward = [0, 0];
  const left: { chunk: number; microBatch: number }[] = [];
  const next = (counts: number[], chunk: number) => {
    const microBatch = counts[chunk] as number;
    counts[chunk] = microBatch + 1;
    return microBatch;
  };
  const push = (kind: PassKind, chunk: number, microBatch: number) =>
    passes.push({ kind, chunk, microBatch });
  const forward = (chunk: number) => push("F", chunk, next(numForward, chunk));
  const backward = (chunk: number) => push("B", chunk, next(numBackward, chunk));
  const inputGrad = (chunk: number) => {
    const microBatch = next(numBackward, chunk);
    left.push({ chunk, microBatch });
    push("I", chunk, microBatch);
  };
  const weightGrad = () => {
    const pass = left.shift();
    if (pass) push("W", pass.chunk, pass.microBatch);
  };
  const together = (chunkForward: number, chunkBackward: number) => {
    const microBatch = next(numForward, chunkForward);
    passes.push({ kind: "F", chunk: chunkForward, microBatch, overlapsNext: true });
    backward(chunkBackward);
  };
  return { passes, forward, backward, inputGrad, weightGrad, together };
}

function repeat(times: number, step: (index: number) => void): void {
  for (let index = 0; index < times; index++) step(index);
}
