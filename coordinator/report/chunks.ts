import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";

/** Pipeline rank of each stage, by stage; undefined where every rank holds just one. */
export function ranksOfStages(plan: Plan | undefined): number[] | undefined {
  const { layout, stages = [] } = plan ?? {};
  if (layout === undefined || stages.length <= layout.pipelineParallel) return undefined;
  return stages.map(({ pipelineRank }) => pipelineRank);
}

/** `stage 2`, and on which pipeline rank where a rank holds several. */
export function stageName(plan: Plan | undefined, stage: number): string {
  const rank = ranksOfStages(plan)?.[stage];
  return rank === undefined ? `stage ${stage}` : `stage ${stage} on rank ${rank}`;
}

/** Entries of stages, grouped by the pipeline rank that holds them; a group a stage without a plan. */
export function byRank<Entry extends { stage: number }>(
  plan: Plan | undefined,
  entries: readonly Entry[],
): { rank: number; entries: Entry[] }[] {
  const ranks = ranksOfStages(plan);
  const groups = new Map<number, Entry[]>();
  for (const entry of entries) {
    const rank = ranks?.[entry.stage] ?? entry.stage;
    groups.set(rank, [...(groups.get(rank) ?? []), entry]);
  }
  return [...groups].map(([rank, own]) => ({ rank, entries: own })).sort((a, b) => a.rank - b.rank);
}
