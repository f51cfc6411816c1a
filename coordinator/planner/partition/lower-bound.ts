import type { PartitionProblem } from "./problem.ts";

/**
 * A lower bound on the makespan in time linear in the layers, without any
 * split: the work spread evenly, the largest layer alone on a stage, or one
 * micro-batch all the way. Counts the recompute of least time that every layer
 * must do, and that the memory of all stages together asks for.
 */
export function partitionLowerBoundMs(problem: PartitionProblem): number {
  const { stages, microBatches, p2pMs, memoryBytes, layers } = problem;
  let total = 0;
  let largest = 0;
  let staticBytes = 0;
  let kept = 0;
  const steps: { bytes: number; perByte: number }[] = [];
  for (const layer of layers) {
    let least = Number.POSITIVE_INFINITY;
    let activation = 0;
    for (const { extraBackwardMs, activationBytes } of layer.options) {
      if (extraBackwardMs > least) continue;
      activation =
        extraBackwardMs < least ? activationBytes : Math.min(activation, activationBytes);
      least = extraBackwardMs;
    }
    let perByte = Number.POSITIVE_INFINITY;
    let fewest = activation;
    for (const { extraBackwardMs, activationBytes } of layer.options) {
      if (activationBytes >= activation) continue;
      perByte = Math.min(perByte, (extraBackwardMs - least) / (activation - activationBytes));
      fewest = Math.min(fewest, activationBytes);
    }
    if (fewest < activation) steps.push({ bytes: activation - fewest, perByte });
    const own = layer.forwardMs + layer.backwardMs + least;
    total += own;
    largest = Math.max(largest, own);
    staticBytes += layer.staticBytes;
    kept += activation;
  }
  // Every stage keeps at least what the last does, one micro-batch.
  const memory =
    typeof memoryBytes === "number"
      ? stages * memoryBytes
      : memoryBytes.reduce((sum, bytes) => sum + bytes, 0);
  let over = staticBytes + kept - memory;
  if (over > 0) {
    steps.sort((a, b) => a.perByte - b.perByte);
    for (const { bytes, perByte } of steps) {
      const saved = Math.min(bytes, Math.max(0, over));
      total += saved * perByte;
      over -= saved;
    }
    if (over > 1e-9 * memory) return Number.POSITIVE_INFINITY;
  }
  const once = total + 2 * p2pMs * (stages - 1);
  return Math.max((microBatches * total) / stages, once, microBatches * largest);
}
