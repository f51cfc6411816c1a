/** The model of the measurements: what every report tells of. */
export const NUM_LAYERS = 52;
export const NUM_EXPERTS = 16;
/** Ranks, and slots, of every agent. */
export const RANKS_PER_AGENT = 8;

/**
 * The job as a file's text: a tensor-parallel group a node, everything else data and
 * pipeline parallel. Its controller changes every layer's coefficient at every step.
 */
export function jobText(numRanks: number, pipelineParallel: number): string {
  const dataParallel = Math.max(1, numRanks / RANKS_PER_AGENT / pipelineParallel);
  return JSON.stringify({
    name: "scale",
    model: {
      ...{ layers: NUM_LAYERS, hiddenSize: 512, heads: 8, kvHeads: 8 },
      ...{ ffnHiddenSize: 256, vocabSize: 256 },
    },
    data: { path: "/nowhere" },
    training: {
      ...{ steps: 1_000_000, sequenceLength: 64, microBatchSize: 1, learningRate: 0.001 },
      globalBatchSize: dataParallel * 2 * pipelineParallel,
      sampleBytes: 0,
    },
    moe: { experts: NUM_EXPERTS, topK: 2 },
    controller: { strict: false },
    layout: {
      ...{ tensorParallel: Math.min(RANKS_PER_AGENT, numRanks), contextParallel: 1 },
      ...{ pipelineParallel, scheme: "edp" },
    },
    cluster: { ranks: numRanks, device: "cpu" },
    checkpoint: { everySteps: 0 },
  });
}
