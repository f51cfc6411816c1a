import type { PlannedStage } from "../plan-document.ts";

/** One recompute setting for every chunk of every rank: all that Megatron-Core can say. */
export interface MegatronRecompute {
  flags: string[];
  /** What differs from the plan, in one sentence; absent when nothing does. */
  note?: string | undefined;
}

/**
 * The flags nearest to a plan's recompute per layer that fit wherever the plan
 * fits. With `full`, `--recompute-method block` recomputes the first N layers of
 * every chunk and leaves the others alone, selective ones too; N is the most
 * layers that any chunk recomputes in any way, so no chunk keeps more than planned.
 */
export function megatronRecompute(
  stages: readonly PlannedStage[],
  moe: boolean,
): MegatronRecompute {
  const kinds = new Set(stages.flatMap((stage) => stage.recompute));
  if (kinds.size === 0 || (kinds.size === 1 && kinds.has("none"))) return { flags: [] };
  if (!kinds.has("full")) {
    return {
      // Norms and activation functions; of dense FFNs Megatron cannot recompute the latter alone.
      flags: [
        "--recompute-granularity selective",
        `--recompute-modules layernorm${moe ? " moe_act" : ""}`,
      ],
      note: kinds.has("none")
        ? "recompute: the plan recomputes norms and activation functions in some layers only; Megatron-Core cannot say which, so here every layer does"
        : undefined,
    };
  }
  const perChunk = stages.map((s) => s.recompute.filter((kind) => kind !== "none").length);
  const most = Math.max(...perChunk);
  const same = stages.every((stage) =>
    stage.recompute.every((kind, i) => kind === (i < most ? "full" : "none")),
  );
  return {
    flags: [
      "--recompute-granularity full",
      "--recompute-method block",
      `--recompute-num-layers ${most}`,
    ],
    note: same
      ? undefined
      : `recompute: the plan recomputes ${[...new Set(perChunk)].sort((a, b) => a - b).join(", ")} layers, by chunk${kinds.has("selective") ? ", some selectively" : ""}; Megatron-Core has one number for all chunks, so here the first ${most} of each are recomputed in full, which fits but costs time`,
  };
}
