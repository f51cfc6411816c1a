/**
 * Cuts layers into stages of at least one, the sum of the stages' squared times
 * least: the most even split by time. O(stages · layers²).
 *
 * @param upTo time of all layers before each, and of all
 * @returns the first layer of each stage, and the number of layers
 */
export function evenTimeSplit(upTo: Float64Array, numStages: number): number[] {
  const numLayers = upTo.length - 1;
  let cost = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
  cost[0] = 0;
  const cuts: Int32Array[] = [];
  for (let stage = 1; stage <= numStages; stage++) {
    const next = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
    const cut = new Int32Array(numLayers + 1);
    for (let to = stage; to <= numLayers - (numStages - stage); to++) {
      const end = upTo[to] as number;
      let least = Number.POSITIVE_INFINITY;
      // From the shortest last stage on: what it costs only grows.
      for (let from = to - 1; from >= stage - 1; from--) {
        const timeMs = end - (upTo[from] as number);
        const square = timeMs * timeMs;
        if (square >= least) break;
        const total = (cost[from] as number) + square;
        if (total < least) {
          least = total;
          cut[to] = from;
        }
      }
      next[to] = least;
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

/** The same with equally many layers a stage; the last stages, which keep least, have one more. */
export function evenCountSplit(numLayers: number, numStages: number): number[] {
  const few = Math.floor(numLayers / numStages);
  const most = Math.ceil(numLayers / numStages);
  return Array.from({ length: numStages + 1 }, (_, stage) =>
    Math.max(stage * few, numLayers - (numStages - stage) * most),
  );
}
