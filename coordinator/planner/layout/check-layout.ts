import { isLocal } from "../../spec/planning-defaults.ts";
import type { Problem } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import { shapeOfJob } from "../model/shape-of-job.ts";
import { formatSplit } from "../partition/pipeline.ts";
import { diagnose } from "./diagnose.ts";
import type { RanksOfJob } from "./diagnose-ranks.ts";
import { enumerateLayouts } from "./enumerate-layouts.ts";
import { chunksOf, fixedSizesOf } from "./fixed-sizes.ts";
import { runnableArrangements } from "./runnable.ts";
import { scheduleConflicts } from "./schedule-conflicts.ts";
import { checkSizes } from "./size-rules.ts";
import type { FixedSizes, LayoutLimits } from "./sizes.ts";

/** The numbers of a job that bind its layout. */
export function limitsOf(job: Job, ranks: number = job.cluster.ranks): LayoutLimits {
  const { layers, heads, kvHeads, ffnHiddenSize } = job.model;
  const { dense, moe } = shapeOfJob(job);
  const { sequenceLength, globalBatchSize, microBatchSize } = job.training;
  return {
    ranks,
    layers,
    heads,
    kvHeads,
    ffnHiddenSize,
    denseFfnHiddenSize: dense?.hiddenSize,
    sharedFfnHiddenSize: moe?.sharedFfnHiddenSize,
    experts: job.moe.experts,
    sequenceLength,
    globalBatchSize,
    microBatchSize,
  };
}

/** Everything illegal about a job's layout; empty when a legal one exists. */
export function checkLayout(job: Job, ranks: number = job.cluster.ranks): Problem[] {
  const limits = limitsOf(job, ranks);
  const fixed = fixedSizesOf(job);
  const problems = [
    ...checkSizes(fixed, limits),
    ...checkExperts(job),
    ...checkScheme(fixed),
    ...checkLists(job),
  ];
  if (problems.length > 0) return problems.map(pointAtStages(job));
  return enumerateLayouts(limits, fixed).some(() => true)
    ? []
    : [diagnose(limits, fixed, ranksOf(job))];
}

/** Where a job says how many ranks there are; a profile or file may say for it. */
function ranksOf({ cluster }: Job): RanksOfJob {
  const key = (["nodes", "file", "profile"] as const).find((name) => cluster[name] !== undefined);
  return { path: ["cluster", key ?? "ranks"], gpusPerNode: cluster.gpusPerNode ?? 1 };
}

/** Why the engine runs none of the legal layouts; empty when it runs one. */
export function checkRunnable(job: Job, ranks: number = job.cluster.ranks): Problem[] {
  const conflicts = scheduleConflicts(job);
  if (conflicts.length > 0) return conflicts;
  let first: Problem | undefined;
  for (const layout of enumerateLayouts(limitsOf(job, ranks), fixedSizesOf(job))) {
    const { arrangements, obstacle } = runnableArrangements(job, layout);
    if (arrangements.length > 0) return [];
    first ??= obstacle;
  }
  return first === undefined ? [] : [first];
}

/** What a layout says of experts that a dense model does not have. */
export function checkExperts(job: Job): Problem[] {
  if (job.moe.experts > 0) return [];
  const fixed = fixedSizesOf(job);
  const problems: Problem[] = (["expertParallel", "expertTensorParallel"] as const)
    .filter((name) => (fixed[name] ?? 1) > 1)
    .map((name) => ({
      path: ["layout", name],
      message: `${fixed[name]} splits experts, but the model has none; use 1, or leave it out`,
    }));
  if (fixed.scheme === undefined) return problems;
  const message = `${fixed.scheme} lays out experts, but the model has none; leave it out`;
  return [...problems, { path: ["layout", "scheme"], message }];
}

/** What a scheme says about the experts' sizes, where one alone breaks it. */
function checkScheme({ scheme, ...fixed }: FixedSizes): Problem[] {
  const { tensorParallel: tp, expertParallel: ep, expertTensorParallel: etp } = fixed;
  const problems: Problem[] = [];
  if (scheme === "edp" && ep !== undefined && ep !== tp) {
    problems.push({
      path: ["layout", "expertParallel"],
      message: `${ep} is not tensorParallel ${tp}, but scheme edp makes them the same ranks; use ${tp}`,
    });
  }
  if ((scheme === "edp" || scheme === "ep") && etp !== undefined && etp !== 1) {
    problems.push({
      path: ["layout", "expertTensorParallel"],
      message: `${etp} splits experts, but scheme ${scheme} keeps them whole; use 1${scheme === "ep" ? ", or scheme etp or folded" : ""}`,
    });
  }
  if (scheme === "etp" && tp !== undefined && etp !== undefined && etp !== tp) {
    problems.push({
      path: ["layout", "expertTensorParallel"],
      message: `${etp} is not tensorParallel ${tp}, but scheme etp makes them the same ranks; use ${tp}, or scheme folded`,
    });
  }
  if (scheme === "etp" && (tp ?? etp ?? 2) === 1) {
    problems.push({
      path: ["layout", "scheme"],
      message: `etp splits experts over tensor-parallel ranks, but ${tp === 1 ? "tensorParallel" : "expertTensorParallel"} is 1; use scheme ep, or more than 1`,
    });
  }
  return problems;
}

/** Lists with one entry a stage or a layer. */
export function checkLists(job: Job): Problem[] {
  if (job.layout === "auto") return [];
  const { stages, recompute, pipelineParallel } = job.layout;
  const { layers } = job.model;
  const problems = checkEmptyStages(job);
  if (stages !== undefined) {
    const sum = stages.reduce((total, count) => total + count, 0);
    if (sum !== layers) {
      problems.push({
        path: ["layout", "stages"],
        message: `${formatSplit(stages)} holds ${sum} layers, but the model has ${layers}; make the entries add up to ${layers}`,
      });
    }
    const wrong = whyWrongLength(stages.length, pipelineParallel, chunksOf(job));
    if (wrong !== undefined) {
      problems.push({
        path: ["layout", "stages"],
        message: `${formatSplit(stages)} is ${stages.length} stages, but ${wrong} or remove one of the two`,
      });
    }
  }
  if (Array.isArray(recompute) && recompute.length !== layers) {
    problems.push({
      path: ["layout", "recompute"],
      message: `has ${recompute.length} entries, but the model has ${layers} layers; give one entry a layer, or one word for all`,
    });
  }
  return problems;
}

/** Rule and remedy of a list that has not an entry for every chunk; interleaving alone leaves their number open. */
function whyWrongLength(
  length: number,
  pipelineParallel: number | undefined,
  chunks: number | undefined,
): string | undefined {
  if (pipelineParallel === undefined) {
    return chunks === undefined || length % chunks === 0
      ? undefined
      : `every pipeline rank has ${chunks} chunks; give a multiple of ${chunks} entries`;
  }
  if (chunks === undefined) {
    return length % pipelineParallel === 0 && length > pipelineParallel
      ? undefined
      : `interleaving needs 2 or more on each of pipelineParallel ${pipelineParallel}; give ${2 * pipelineParallel} entries`;
  }
  const wanted = pipelineParallel * chunks;
  if (length === wanted) return undefined;
  return chunks === 1
    ? `layout.pipelineParallel is ${pipelineParallel}; give ${wanted} entries`
    : `layout.pipelineParallel ${pipelineParallel} × ${chunks} chunks is ${wanted}; give ${wanted} entries`;
}

/** The head may be a stage of its own, but not in the engine, whose stages hold a layer each. */
function checkEmptyStages({ layout, cluster }: Job): Problem[] {
  const stages = layout === "auto" ? [] : (layout.stages ?? []);
  const empty = stages.indexOf(0);
  const mayEnd = !isLocal(cluster) && stages.length > 1;
  if (empty === -1 || (mayEnd && empty === stages.length - 1)) return [];
  const rule = isLocal(cluster)
    ? "every stage of moestro's engine holds at least one"
    : "only the last of several stages may hold none, for the head alone";
  return [
    {
      path: ["layout", "stages", empty],
      message: `stage ${empty} holds no layer, but ${rule}; give it one or more`,
    },
  ];
}

/** A pipeline size that was never written came from the list of stages. */
function pointAtStages(job: Job): (problem: Problem) => Problem {
  const written = job.layout === "auto" ? undefined : job.layout.pipelineParallel;
  return (problem) =>
    problem.path[1] === "pipelineParallel" && written === undefined
      ? { path: ["layout", "stages"], message: `as many stages as entries, ${problem.message}` }
      : problem;
}
