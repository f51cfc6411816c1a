import type { ModelShape } from "../model/model-shape.ts";

/**
 * Layers a rank as Megatron's recipes split them: evenly over the chunks of all
 * ranks, and where that does not work out one layer more on some inner chunks, as
 * the ends carry the embedding and the head. MTP layers count, and lie in the last
 * chunk: so DeepSeek-V3's 61 + 1 on 8 ranks of 4 chunks become `Et|(tt|)*30mL`.
 */
export function evenSplit(layers: number, stages: number, chunks: number, mtp: number): number[] {
  const count = stages * chunks;
  const base = Math.floor((layers + mtp) / count);
  const odd = (layers + mtp) % count;
  const ranks = Array<number>(stages).fill(0);
  for (let chunk = 0; chunk < count; chunk++) {
    const turn = chunk === 0 ? Math.max(0, count - 2) : chunk === count - 1 ? count - 1 : chunk - 1;
    const held = base + (turn < odd ? 1 : 0) - (chunk === count - 1 ? mtp : 0);
    ranks[chunk % stages] = (ranks[chunk % stages] as number) + Math.max(0, held);
  }
  return ranks;
}

/**
 * How nanotron cuts a model: it walks the blocks, adds up a cost of
 * 4h² + 3hf a layer and V·h for the head, and goes to the next stage once the sum
 * reaches that stage's even share. Which stage holds the head follows.
 */
export function splitByCost(
  model: ModelShape,
  stages: number,
): { layersPerStage: number[]; headStage: number } {
  const { hiddenSize: h, vocabSize } = model;
  const layer = 4 * h * h + 3 * h * (model.dense?.hiddenSize ?? 0);
  const total = model.layers.length * layer + vocabSize * h;
  const layersPerStage = Array<number>(stages).fill(0);
  let stage = 0;
  let cost = 0;
  for (const _ of model.layers) {
    layersPerStage[stage] = (layersPerStage[stage] ?? 0) + 1;
    cost += layer;
    if (cost >= (total * (stage + 1)) / stages) stage = Math.min(stage + 1, stages - 1);
  }
  return { layersPerStage, headStage: stage };
}
