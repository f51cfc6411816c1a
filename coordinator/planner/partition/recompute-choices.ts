import type { PartitionLayer } from "./problem.ts";

/** An option that no other beats in time, memory and workspace. */
export interface Choice {
  option: number;
  extraMs: number;
  activationBytes: number;
  workspaceBytes: number;
}

/** Layers by their choices: those of one class are interchangeable in the knapsack. */
export interface LayerClasses {
  /** Choices of each class, by rising time. */
  choices: readonly (readonly Choice[])[];
  /** Class of each layer. */
  classOf: Int32Array;
}

/** Sorts layers into classes; models have few. */
export function layerClasses(layers: readonly PartitionLayer[]): LayerClasses {
  const choices: Choice[][] = [];
  const known = new Map<string, number>();
  const classOf = new Int32Array(layers.length);
  for (const [index, { options }] of layers.entries()) {
    const before = layers[index - 1]?.options;
    // Spares most layers the key.
    if (before !== undefined && areSameOptions(before, options)) {
      classOf[index] = classOf[index - 1] as number;
      continue;
    }
    const own = undominated(options);
    const key = JSON.stringify(own);
    const found = known.get(key) ?? choices.push(own) - 1;
    known.set(key, found);
    classOf[index] = found;
  }
  return { choices, classOf };
}

/** Whether two layers choose among the same times, memory and workspaces. */
export function areSameOptions(
  a: PartitionLayer["options"],
  b: PartitionLayer["options"],
): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  return a.every((one, index) => {
    const other = b[index];
    return (
      one.extraBackwardMs === other?.extraBackwardMs &&
      one.activationBytes === other.activationBytes &&
      (one.workspaceBytes ?? 0) === (other.workspaceBytes ?? 0)
    );
  });
}

/** Options by rising time; without those that another beats in time, memory and workspace. */
function undominated(options: PartitionLayer["options"]): Choice[] {
  const all = options.map(({ extraBackwardMs, activationBytes, workspaceBytes }, option) => ({
    option,
    extraMs: extraBackwardMs,
    activationBytes,
    workspaceBytes: workspaceBytes ?? 0,
  }));
  const beats = (a: Choice, b: Choice) =>
    a.extraMs <= b.extraMs &&
    a.activationBytes <= b.activationBytes &&
    a.workspaceBytes <= b.workspaceBytes &&
    (a.extraMs < b.extraMs ||
      a.activationBytes < b.activationBytes ||
      a.workspaceBytes < b.workspaceBytes ||
      a.option < b.option);
  return all
    .filter((choice) => !all.some((other) => other !== choice && beats(other, choice)))
    .sort((a, b) => a.extraMs - b.extraMs || b.activationBytes - a.activationBytes);
}
