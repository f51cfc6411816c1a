import { formatSplit } from "./partition/pipeline.ts";
import type { PlanChoice, PlanDocument } from "./plan-document.ts";
import type { Constraints, Target } from "./search/constraints.ts";

/** Why the plan is what it is: one sentence each, with the numbers. */
export function explainDocument(document: PlanDocument, { target }: Constraints): string[] {
  const { best } = document;
  return [
    whyLayout(document, target),
    ...(document.model.experts > 0 ? [whyExperts(document)] : []),
    ...(best.layout.pipelineParallel > 1 ? [whyStages(document), whyNotUniform(document)] : []),
    whyRecompute(best, document, target),
    ...whatTheTargetCosts(document, target),
    whatItAssumes(document),
  ];
}

function whyLayout({ best, search, cluster, fixed }: PlanDocument, target: Target): string {
  const asked = Object.entries(fixed ?? {}).map(([name, value]) => `${name} ${value}`);
  const given = asked.length === 0 ? "" : `, with ${asked.join(", ")} fixed by the job`;
  const sayable = target === "any" ? "" : ` that ${target} can run`;
  return `Layout: of ${search.candidates} candidates${sayable} on ${cluster.gpus} GPUs${given}, the one of least predicted step time (${best.layout.schedule}).`;
}

function whyExperts({ best, baselines, model, fixed }: PlanDocument): string {
  const { layout } = best;
  const held = model.experts / layout.expertParallel;
  const others = (["edp", "ep", "etp"] as const)
    .filter((scheme) => scheme !== layout.scheme)
    .map((scheme) => {
      const other = baselines[scheme];
      return other === null
        ? `no layout with ${scheme} fits`
        : `${scheme} ${wouldTake(other, best)}`;
    });
  const against =
    fixed?.scheme === undefined ? others.join(", ") : "other schemes were not asked for";
  const whole =
    layout.expertTensorParallel === 1 ? "whole" : `each split over ${layout.expertTensorParallel}`;
  return `Experts: scheme ${layout.scheme} puts ${held} of ${model.experts} experts on a rank, ${whole}, ${replicas(layout.expertDataParallel)}; ${against}.`;
}

function replicas(count: number): string {
  return count === 1 ? "in one replica" : `in ${count} replicas`;
}

/** What another plan would take, beside the best one. */
function wouldTake(other: PlanChoice, best: PlanChoice): string {
  const change = 100 * (other.predicted.stepTimeMs / best.predicted.stepTimeMs - 1);
  if (Math.abs(change) < 0.05) return "would take as long";
  return `would take ${Math.abs(change).toFixed(1)} % ${change > 0 ? "longer" : "less"}`;
}

function whyStages({ best: { stages, certificate }, fixed }: PlanDocument): string {
  const counts = stages.map(({ layers }) => (layers === null ? 0 : layers[1] - layers[0] + 1));
  if (fixed?.stages !== undefined) {
    return `Stages: ${formatSplit(counts)} decoder layers, as the job fixes them.`;
  }
  const gap = 100 * certificate.gap;
  const sure =
    certificate.gap <= 1e-9
      ? "the simulated time equals the lower bound, so no other split is faster"
      : `no other split can be more than ${gap.toFixed(2)} % faster`;
  return `Stages: ${formatSplit(counts)} decoder layers; ${sure}.`;
}

function whyNotUniform({ best, baselines, fixed, model }: PlanDocument): string {
  const { uniform } = baselines;
  if (uniform === null) return "Uniform stages with one recompute for all fit no layout.";
  const { layout, predicted } = uniform;
  const experts = model.experts > 0 ? `, ep ${layout.expertParallel}` : "";
  const what = `Uniform: the best plan with equal stages and one recompute for all layers (tp ${layout.tensorParallel}, pp ${layout.pipelineParallel}, dp ${layout.dataParallel}${experts})`;
  const change = 100 * (predicted.stepTimeMs / best.predicted.stepTimeMs - 1);
  // Its stages and recompute are its own, whatever the job fixes of them.
  const isFixed = fixed?.stages !== undefined || fixed?.recompute !== undefined;
  return change <= -0.05 && isFixed
    ? `${what} is ${(-change).toFixed(1)} % faster than what the job fixes.`
    : `${what} ${wouldTake(uniform, best)}.`;
}

function whyRecompute(
  { stages, predicted }: PlanChoice,
  { fixed }: PlanDocument,
  target: Target,
): string {
  const kinds = stages.flatMap(({ recompute }) => recompute);
  const full = kinds.filter((kind) => kind === "full").length;
  const selective = kinds.filter((kind) => kind === "selective").length;
  const most = Math.max(...predicted.memoryBytesPerStage) / 1e9;
  const limit = predicted.memoryLimitBytes / 1e9;
  const room = `the fullest rank holds ${most.toFixed(1)} of ${limit.toFixed(1)} GB`;
  const isNone = full + selective === 0;
  const what = isNone ? "none" : `${full} layers in full and ${selective} selectively`;
  if (fixed?.recompute !== undefined) {
    const which = fixed.recompute.startsWith("of ") ? ` that ${fixed.recompute}` : " it";
    return `Recompute: ${what}, as the job fixes${which}; ${room}.`;
  }
  if (isNone) return `Recompute: none is needed; ${room}.`;
  const sayable = target === "any" ? "" : ` and that ${target} can be told`;
  return `Recompute: ${what}, the least that fits${sayable}; ${room}.`;
}

function whatTheTargetCosts({ best, baselines, model }: PlanDocument, target: Target): string[] {
  const { unrestricted } = baselines;
  if (unrestricted === undefined) return [];
  const { layout, predicted } = unrestricted;
  const cost = 100 * (best.predicted.stepTimeMs / predicted.stepTimeMs - 1);
  const costs = cost < 0.05 ? "costs nothing" : `costs ${cost.toFixed(1)} % of the step time`;
  const experts = model.experts > 0 ? `, ep ${layout.expertParallel}` : "";
  return [
    `Expressible: what ${target} can be told ${costs} against the best of any layout, schedule and recompute by layer (${layout.schedule}, tp ${layout.tensorParallel}, pp ${layout.pipelineParallel}, vpp ${layout.virtualPipeline}, dp ${layout.dataParallel}${experts}).`,
  ];
}

function whatItAssumes({ cluster, batch, model }: PlanDocument): string {
  const origin =
    cluster.origin === "probe"
      ? "measured on this machine"
      : cluster.origin === "file"
        ? "taken from the cluster file"
        : "vendor figures with calibrated efficiencies";
  const routing =
    model.experts === 0
      ? ""
      : batch.imbalance === 1
        ? "; routing is taken as balanced"
        : `; the busiest rank gets ${batch.imbalance} times the mean`;
  return `Assumed: the cluster's speeds are ${origin}${routing}.`;
}
