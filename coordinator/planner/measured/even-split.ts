/**
 * Layers a stage as frameworks split them: evenly where that works out, else
 * one layer more on some inner stages, as the ends carry the embedding and the
 * head. With several chunks a rank the odd layers even out between chunks, so
 * a rank gets its fraction.
 */
export function evenSplit(layers: number, stages: number, isChunked: boolean): number[] {
  if (isChunked || layers % stages === 0) return Array<number>(stages).fill(layers / stages);
  const base = Math.floor(layers / stages);
  const odd = layers % stages;
  return Array.from({ length: stages }, (_, stage) => {
    const turn = stage === 0 ? stages - 2 : stage === stages - 1 ? stages - 1 : stage - 1;
    return base + (turn < odd ? 1 : 0);
  });
}

/** Splits as nanotron does: by cost, with the head worth some layers. */
export function splitWithHead(layers: number, stages: number, headLayers: number): number[] {
  if (stages === 1) return [layers];
  const share = (layers + headLayers) / stages;
  const split: number[] = [];
  let placed = 0;
  for (let stage = 1; stage <= stages; stage++) {
    const upTo = stage === stages ? layers : Math.min(layers, Math.round(stage * share));
    split.push(upTo - placed);
    placed = upTo;
  }
  return split;
}
