import type { ClusterPresetName } from "../hardware/presets.ts";

/** A change of the problem under which a search found a plan. */
export type FittingChange =
  /** Settings of the job, as it names them, with the value to give. */
  | { kind: "settings"; settings: readonly string[] }
  /** One thing that the job fixes and should not. */
  | { kind: "freed"; setting: string }
  /** The least number of nodes found, the batch unchanged; `settings` change too, if any. */
  | { kind: "nodes"; settings: readonly string[]; nodes: number; gpus: number }
  /** The least memory of a GPU found, and presets that have it and fit at the same count. */
  | { kind: "memory"; memoryGB: number; presets: readonly ClusterPresetName[] };
