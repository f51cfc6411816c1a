import type { LayoutSizes } from "../layout/sizes.ts";
import { partParameters } from "./count-parameters.ts";
import type { ModelShape } from "./model-shape.ts";

/** Layers and tables that a stage holds. */
export interface StageParts {
  firstLayer: number;
  numLayers: number;
  hasEmbedding: boolean;
  hasHead: boolean;
}

/**
 * Weights that one rank of a stage holds in our engine, in numbers, not bytes. Norms,
 * gate, embedding and head are whole on every rank; attention, dense FFN and shared
 * experts are split over TP, experts over EP and ETP. A key-value head is never
 * split, so TP beyond their number repeats them. A tied table counts once on a stage
 * that has both ends.
 */
export function countRankParameters(
  shape: ModelShape,
  sizes: LayoutSizes,
  { firstLayer, numLayers, hasEmbedding, hasHead }: StageParts,
): number {
  const layers = shape.layers.slice(firstLayer, firstLayer + numLayers);
  const table = shape.vocabSize * shape.hiddenSize;
  const numTables = [hasEmbedding, hasHead].filter(Boolean).length;
  const isShared = shape.tiedEmbeddings && numTables === 2;
  const ends = (isShared ? 1 : numTables) * table + (hasHead ? shape.hiddenSize : 0);
  return layers.reduce((total, { kind }) => {
    const { dense, expert } = partParameters(shape, kind, sizes);
    return total + dense + expert;
  }, ends);
}
