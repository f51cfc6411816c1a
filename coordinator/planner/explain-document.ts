import { formatSplit } from "./partition/pipeline.ts";
import type { PlanChoice, PlanDocument } from "./plan-document.ts";
import type { Constraints } from "./search/constraints.ts";

/** Why the plan is what it is: one sentence each, with the numbers. */
export function explainDocument(document: PlanDocument, constraints: Constraints): string[] {
  const { best } = document;
  return [
    whyLayout(document, constraints),
    ...(document.model.experts > 0 ? [whyExperts(document)] : []),
    ...(best.layout.pipelineParallel > 1 ? [whyStages(best), whyNotUniform(document)] : []),
    whyRecompute(best),
    ...whatTheTargetCosts(document, constraints),
    whatItAssumes(document),
  ];
}

function whyLayout(
  { best, search, cluster }: PlanDocument,
  { fixed, target }: Constraints,
): string {
  const asked = Object.entries(fixed)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  const given = asked.length === 0 ? "" : `, with ${asked.join(", ")} fixed by the job`;
  const sayable = target === "any" ? "" : ` that ${target} can run`;
  return `Layout: of ${search.candidates} candidates${sayable} on ${cluster.gpus} GPUs${given}, the one of least predicted step time (${best.layout.schedule}).`;
}

function whyExperts({ best, baselines, model }: PlanDocument): string {
  const { layout } = best;
  const held = model.experts / layout.expertParallel;
  const others = (["edp", "ep", "etp"] as const)
    .filter((scheme) => scheme !== layout.scheme)
    .map((scheme) => {
      const other = baselines[scheme];
      if (other === null) return `${scheme} has no plan here`;
      const change = 100 * (other.predicted.stepTimeMs / best.predicted.stepTimeMs - 1);
      return `${scheme} would take ${change.toFixed(1)} % longer`;
    });
  const whole =
    layout.expertTensorParallel === 1 ? "whole" : `each split over ${layout.expertTensorParallel}`;
  return `Experts: scheme ${layout.scheme} puts ${held} of ${model.experts} experts on a rank, ${whole}, in ${layout.expertDataParallel} replicas; ${others.join(", ")}.`;
}

function whyStages({ stages, certificate }: PlanChoice): string {
  const counts = stages.map(({ layers }) => (layers === null ? 0 : layers[1] - layers[0] + 1));
  const gap = 100 * certificate.gap;
  const sure =
    certificate.gap <= 1e-9
      ? "the simulated time equals the lower bound, so no other split is faster"
      : `no other split can be more than ${gap.toFixed(2)} % faster`;
  return `Stages: ${formatSplit(counts)} decoder layers; ${sure}.`;
}

function whyNotUniform({ best, baselines }: PlanDocument): string {
  const { uniform } = baselines;
  if (uniform === null) return "Uniform stages with one recompute for all fit no layout.";
  const change = 100 * (uniform.predicted.stepTimeMs / best.predicted.stepTimeMs - 1);
  return `Uniform: the best plan with equal stages and one recompute for all layers (tp ${uniform.layout.tensorParallel}, pp ${uniform.layout.pipelineParallel}, dp ${uniform.layout.dataParallel}, ep ${uniform.layout.expertParallel}) takes ${change.toFixed(1)} % longer.`;
}

function whyRecompute({ stages, predicted }: PlanChoice): string {
  const kinds = stages.flatMap(({ recompute }) => recompute);
  const full = kinds.filter((kind) => kind === "full").length;
  const selective = kinds.filter((kind) => kind === "selective").length;
  const most = Math.max(...predicted.memoryBytesPerStage) / 1e9;
  const limit = predicted.memoryLimitBytes / 1e9;
  const room = `the fullest rank holds ${most.toFixed(1)} of ${limit.toFixed(1)} GB`;
  return full + selective === 0
    ? `Recompute: none is needed; ${room}.`
    : `Recompute: ${full} layers in full and ${selective} selectively, the least that fits; ${room}.`;
}

function whatTheTargetCosts({ best, baselines }: PlanDocument, { target }: Constraints): string[] {
  const { unrestricted } = baselines;
  if (unrestricted === undefined) return [];
  const { layout, predicted } = unrestricted;
  const cost = 100 * (best.predicted.stepTimeMs / predicted.stepTimeMs - 1);
  return [
    `Expressible: what ${target} can be told costs ${cost.toFixed(1)} % of the step time against the best of any layout, schedule and recompute by layer (${layout.schedule}, tp ${layout.tensorParallel}, pp ${layout.pipelineParallel}, vpp ${layout.virtualPipeline}, dp ${layout.dataParallel}, ep ${layout.expertParallel}).`,
  ];
}

function whatItAssumes({ cluster, batch }: PlanDocument): string {
  const origin =
    cluster.origin === "probe"
      ? "measured on this machine"
      : cluster.origin === "file"
        ? "taken from the cluster file"
        : "vendor figures with calibrated efficiencies";
  const routing =
    batch.imbalance === 1
      ? "routing is taken as balanced"
      : `the busiest rank gets ${batch.imbalance} times the mean`;
  return `Assumed: the cluster's speeds are ${origin}; ${routing}.`;
}
