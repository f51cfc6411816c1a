/**
 * Cuts layers into stages of at least one, the sum of the stages' squared times
 * least: the most even split by time. O(stages · layers²).
 *
 * @returns the first layer of each stage, and the number of layers
 */
export function evenTimeSplit(
  numLayers: number,
  numStages: number,
  timeMs: (from: number, to: number) => number,
): number[] {
  let cost = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
  cost[0] = 0;
  const cuts: Int32Array[] = [];
  for (let stage = 1; stage <= numStages; stage++) {
    const next = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
    const cut = new Int32Array(numLayers + 1);
    for (let to = stage; to <= numLayers - (numStages - stage); to++) {
      for (let from = stage - 1; from < to; from++) {
        const total = (cost[from] as number) + timeMs(from, to) ** 2;
        if (total < (next[to] as number)) {
          next[to] = total;
          cut[to] = from;
        }
      }
    }
    cost = next;
    cuts.push(cut);
  }
  const starts = [numLayers];
  for (let stage = numStages - 1; stage >= 0; stage--) {
    starts.unshift(cuts[stage]?.[starts[0] as number] as number);
  }
  return starts;
}
