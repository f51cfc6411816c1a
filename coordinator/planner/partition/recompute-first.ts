import type { PartitionLayer } from "./problem.ts";

/** Options of a stage's layers where the first `count` take their last and the others their first. */
export function optionsOfFirst(layers: readonly PartitionLayer[], count: number): number[] {
  let left = count;
  return layers.map(({ options }) => {
    // A layer without a choice, such as the head, is not counted.
    if (options.length < 2 || left === 0) return 0;
    left--;
    return options.length - 1;
  });
}
