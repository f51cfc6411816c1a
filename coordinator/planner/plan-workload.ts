import type { Workload } from "./cost/workload.ts";
import { fixedValues } from "./describe/fixed-values.ts";
import { explainDocument } from "./explain-document.ts";
import { countModelParameters } from "./model/count-parameters.ts";
import type { PlanChoice, PlanDocument } from "./plan-document.ts";
import { certifySolved } from "./search/certify-solved.ts";
import type { Constraints } from "./search/constraints.ts";
import { planChoice } from "./search/plan-choice.ts";
import { type SearchResult, searchLayouts } from "./search/search-layouts.ts";
import { sensitivityOf } from "./search/sensitivity.ts";
import { bestUniform } from "./search/uniform.ts";

export interface PlanWorkloadOptions {
  job: string;
  modelName: string;
  /** Milliseconds on any clock; the planner has none of its own. */
  now: () => number;
  /** Time for HiGHS to prove the best plan's stages; none when absent. */
  certifySeconds?: number | undefined;
}

const MAX_ALTERNATIVES = 4;

/**
 * The whole answer to "how should this be trained here": the best layout, what
 * else comes close, what simpler choices would cost, and how sure it is.
 * Undefined when nothing fits; the search's `closest` says by how much.
 */
export async function planWorkload(
  workload: Workload,
  constraints: Constraints,
  options: PlanWorkloadOptions,
): Promise<{ document: PlanDocument | undefined; search: SearchResult }> {
  const start = options.now();
  const search = searchLayouts(workload, constraints);
  const ms = options.now() - start;
  if (search.best === undefined) return { document: undefined, search };
  const { certifySeconds: timeLimitSeconds } = options;
  const { solved, obstacle } =
    timeLimitSeconds === undefined
      ? { solved: search.best }
      : await certifySolved(search.best, { timeLimitSeconds });
  const best = planChoice(solved);
  const ofScheme = (scheme: "edp" | "ep" | "etp") =>
    bestOfScheme(workload, constraints, scheme, best);
  const schemes = { edp: ofScheme("edp"), ep: ofScheme("ep"), etp: ofScheme("etp") };
  const document: PlanDocument = {
    job: options.job,
    model: describeModel(workload, options.modelName),
    cluster: {
      name: workload.cluster.accelerator.name,
      gpus: constraints.ranks,
      nodes: workload.cluster.nodes,
      gpusPerNode: workload.cluster.gpusPerNode,
      origin: workload.cluster.origin,
    },
    batch: {
      sequenceLength: workload.sequenceLength,
      globalBatchSize: workload.globalBatchSize,
      precision: workload.precision,
      capacityFactor: workload.capacityFactor,
      imbalance: workload.imbalance,
    },
    fixed: fixedValues(constraints),
    best,
    alternatives: alternatives(best, [...search.others.map(planChoice), ...Object.values(schemes)]),
    baselines: {
      uniform: bestUniform(workload, constraints),
      ...schemes,
      ...unrestricted(workload, constraints),
    },
    sensitivity: sensitivityOf(workload, constraints, solved),
    reasons: [],
    search: {
      candidates: search.numCandidates,
      pruned: search.numCandidates - search.numSolved,
      evaluated: search.numSolved,
      ms,
    },
  };
  document.reasons = explainDocument(document, constraints);
  if (obstacle !== undefined) document.reasons.push(`Certificate: ${obstacle}.`);
  return { document, search };
}

/** The quickest that differ from the best and each other in kind. */
function alternatives(best: PlanChoice, others: readonly (PlanChoice | null)[]): PlanChoice[] {
  const kinds = new Set([kindOf(best)]);
  return others
    .filter((choice) => choice !== null)
    .sort((a, b) => a.predicted.stepTimeMs - b.predicted.stepTimeMs)
    .filter((choice) => {
      const kind = kindOf(choice);
      const isNew = !kinds.has(kind);
      kinds.add(kind);
      return isNew;
    })
    .slice(0, MAX_ALTERNATIVES);
}

function kindOf({ layout }: PlanChoice): string {
  const { scheme, schedule, pipelineParallel, tensorParallel } = layout;
  return [scheme, schedule, pipelineParallel, tensorParallel].join(" ");
}

/** What there would be without the limits of the software asked for. */
function unrestricted(
  workload: Workload,
  constraints: Constraints,
): Pick<PlanDocument["baselines"], "unrestricted"> {
  if (constraints.target === "any") return {};
  const { best } = searchLayouts(workload, { ...constraints, target: "any" });
  return best === undefined ? {} : { unrestricted: planChoice(best) };
}

function bestOfScheme(
  workload: Workload,
  constraints: Constraints,
  scheme: "edp" | "ep" | "etp",
  bestOfAll: PlanChoice,
): PlanChoice | null {
  const { fixed } = constraints;
  // A dense model has no experts to lay out.
  if (workload.model.moe === undefined) return null;
  if (fixed.scheme !== undefined && fixed.scheme !== scheme) return null;
  if (bestOfAll.layout.scheme === scheme) return bestOfAll;
  const { best } = searchLayouts(workload, { ...constraints, fixed: { ...fixed, scheme } });
  return best === undefined ? null : planChoice(best);
}

function describeModel({ model }: Workload, name: string): PlanDocument["model"] {
  const { attention, moe } = model;
  const { total, active } = countModelParameters(model);
  const isMla = attention.kind === "mla";
  return {
    name,
    layers: model.layers.length,
    hiddenSize: model.hiddenSize,
    heads: attention.heads,
    kvHeads: isMla ? attention.heads : attention.kvHeads,
    headDim: isMla ? attention.qkNopeHeadDim + attention.qkRopeHeadDim : attention.headDim,
    vocabSize: model.vocabSize,
    experts: moe?.experts ?? 0,
    topK: moe?.topK ?? 0,
    totalParameters: total,
    activeParameters: active,
    shape: model,
  };
}
