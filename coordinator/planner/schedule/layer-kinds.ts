import type { PartitionLayer } from "../partition/problem.ts";
import { areSameOptions } from "../partition/recompute-choices.ts";

/** A number for each layer, the same for layers that cost the same. */
export function layerKinds(layers: readonly PartitionLayer[]): Int32Array {
  const examples: PartitionLayer[] = [];
  return Int32Array.from(layers, (layer) => {
    const known = examples.findIndex((example) => costsAlike(example, layer));
    return known >= 0 ? known : examples.push(layer) - 1;
  });
}

/** For each layer, the first one behind it of another kind. */
export function endsOfRuns(kinds: Int32Array): Int32Array {
  const until = new Int32Array(kinds.length);
  for (let layer = kinds.length - 1; layer >= 0; layer--) {
    const isSame = layer + 1 < kinds.length && kinds[layer] === kinds[layer + 1];
    until[layer] = isSame ? (until[layer + 1] as number) : layer + 1;
  }
  return until;
}

function costsAlike(a: PartitionLayer, b: PartitionLayer): boolean {
  return (
    a.forwardMs === b.forwardMs &&
    a.backwardMs === b.backwardMs &&
    a.staticBytes === b.staticBytes &&
    areSameOptions(a.options, b.options)
  );
}
