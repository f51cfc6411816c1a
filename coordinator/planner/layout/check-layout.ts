import { isLocal } from "../../spec/planning-defaults.ts";
import type { Problem } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import { formatSplit } from "../partition/pipeline.ts";
import { diagnose } from "./diagnose.ts";
import { diagnoseRanks, type RanksOfJob } from "./diagnose-ranks.ts";
import { isRunnable, whyNotRunnable } from "./engine-capabilities.ts";
import { enumerateLayouts } from "./enumerate-layouts.ts";
import { checkSizes } from "./size-rules.ts";
import type { CandidateLayout, FixedSizes, LayoutLimits } from "./sizes.ts";

/** The numbers of a job that bind its layout. */
export function limitsOf(job: Job, ranks: number = job.cluster.ranks): LayoutLimits {
  const { layers, heads, kvHeads, ffnHiddenSize } = job.model;
  const { sequenceLength, globalBatchSize, microBatchSize } = job.training;
  return {
    ranks,
    layers,
    heads,
    kvHeads,
    ffnHiddenSize,
    experts: job.moe.experts,
    sequenceLength,
    globalBatchSize,
    microBatchSize,
  };
}

/** What a job fixes of its layout; stages fix the pipeline's size too. */
export function fixedSizesOf(job: Job): FixedSizes {
  if (job.layout === "auto") return {};
  const { stages, recompute: _, schedule: __, ...sizes } = job.layout;
  const isEdp = sizes.scheme === "edp";
  // Each stage has as many entries as chunks.
  const pipeline = stages === undefined ? undefined : stages.length / (sizes.virtualPipeline ?? 1);
  return {
    ...sizes,
    pipelineParallel: sizes.pipelineParallel ?? (Number.isInteger(pipeline) ? pipeline : undefined),
    // Under edp one of the two fixes the other.
    tensorParallel: sizes.tensorParallel ?? (isEdp ? sizes.expertParallel : undefined),
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

/** Why none of the legal layouts runs on today's engine; empty when one does. */
export function checkRunnable(job: Job, ranks: number = job.cluster.ranks): Problem[] {
  const limits = limitsOf(job, ranks);
  const fixed = fixedSizesOf(job);
  let first: CandidateLayout | undefined;
  for (const layout of enumerateLayouts(limits, fixed)) {
    if (isRunnable(layout)) return [];
    first ??= layout;
  }
  const reason = first === undefined ? undefined : whyNotRunnable(first);
  if (reason !== undefined && fixed[reason.name] !== undefined) {
    return [{ path: ["layout", reason.name], message: reason.message }];
  }
  const forEngine = checkSizes({ ...fixed, scheme: "edp" }, limits);
  if (forEngine.length > 0) return forEngine.map(pointAtStages(job));
  // The engine has no context parallelism.
  const engine: FixedSizes = { ...fixed, scheme: "edp", contextParallel: 1 };
  return [diagnoseRanks(limits, engine, ranksOf(job), isRunnable)];
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
  const { stages, recompute, pipelineParallel, virtualPipeline = 1 } = job.layout;
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
    const wanted = (pipelineParallel ?? 1) * virtualPipeline;
    const isLegal =
      pipelineParallel === undefined
        ? stages.length % virtualPipeline === 0
        : stages.length === wanted;
    if (!isLegal) {
      const what =
        pipelineParallel === undefined
          ? `layout.virtualPipeline is ${virtualPipeline}; give a multiple of ${virtualPipeline} entries`
          : virtualPipeline === 1
            ? `layout.pipelineParallel is ${pipelineParallel}; give ${pipelineParallel} entries`
            : `layout.pipelineParallel ${pipelineParallel} × virtualPipeline ${virtualPipeline} is ${wanted}; give ${wanted} entries`;
      problems.push({
        path: ["layout", "stages"],
        message: `${formatSplit(stages)} is ${stages.length} stages, but ${what} or remove one of the two`,
      });
    }
  }
  if (Array.isArray(recompute) && recompute.length !== layers) {
    problems.push({
      path: ["layout", "recompute"],
      message: `has ${recompute.length} entries, but the model has ${layers} layers; give one entry a layer, or none or full for all`,
    });
  }
  return problems;
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
