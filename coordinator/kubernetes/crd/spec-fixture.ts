/** A small valid spec, for tests: the quickstart's model on two nodes of two ranks. */
export function fixtureSpec(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: { layers: 5, hiddenSize: 128, heads: 4, kvHeads: 2, ffnHiddenSize: 256, vocabSize: 256 },
    data: { source: "python-standard-library" },
    training: {
      ...{ steps: 240, sequenceLength: 128, globalBatchSize: 16, microBatchSize: 4 },
      learningRate: "3e-3",
    },
    moe: { experts: 8, topK: 2, capacityFactor: "1.25" },
    layout: { scheme: "edp", pipelineParallel: 2, tensorParallel: 2, schedule: ["1f1b"] },
    cluster: { device: "cpu" },
    nodes: { max: 2 },
    gpusPerNode: 2,
    ...changes,
  };
}
