import { MoestroError } from "../../errors.ts";
import type { PlanChoice } from "../../planner/plan-document.ts";
import { problemOfJob } from "../../planner/problem-of-job.ts";
import type { Target } from "../../planner/search/constraints.ts";
import { planChoice } from "../../planner/search/plan-choice.ts";
import { searchLayouts } from "../../planner/search/search-layouts.ts";
import { table } from "../../planner/text-table.ts";
import type { JobFile } from "../../spec/load-job.ts";
import { whyNoLayout } from "./no-layout.ts";
import { problemOfFile } from "./plan-file.ts";

interface WhatIfRow {
  gpus: number;
  /** Null when nothing fits. */
  best: PlanChoice | null;
  /** Why there is none, in a few words. */
  reason: string | null;
}

/** The best plan for each of several numbers of GPUs, the batch unchanged. */
export async function whatIf(
  file: JobFile,
  target: Target,
  change: string,
): Promise<{ rows: WhatIfRow[]; text: string }> {
  const { job, source } = file;
  const { cluster } = (await problemOfFile(file, target)).workload;
  const rows = parseGpus(change).map((gpus): WhatIfRow => {
    const gpusPerNode = Math.min(gpus, cluster.gpusPerNode);
    if (gpus % gpusPerNode !== 0) {
      throw new MoestroError(
        "invalid_input",
        `--what-if ${change}: ${gpus} GPUs are no whole nodes of ${gpusPerNode}; use a multiple of ${gpusPerNode}`,
      );
    }
    const changed = { ...cluster, nodes: gpus / gpusPerNode, gpusPerNode };
    const { workload, constraints } = problemOfJob(job, changed, target, source);
    const { best, closest } = searchLayouts(workload, constraints);
    if (best !== undefined) return { gpus, best: planChoice(best), reason: null };
    const missing = (closest?.missingBytes ?? 0) / 1e9;
    const [illegal] = closest === undefined ? whyNoLayout(job, constraints) : [];
    const reason =
      closest === undefined
        ? `no legal layout${illegal === undefined ? "" : `: ${illegal.message}`}`
        : `does not fit: misses ${missing.toFixed(1)} GB on its fullest GPU`;
    return { gpus, best: null, reason };
  });
  return { rows, text: describe(rows, job.moe.experts > 0).join("\n") };
}

function parseGpus(change: string): number[] {
  const [name, list = ""] = change.split("=");
  const numbers = list.split(",").map(Number);
  const isValid = numbers.every((gpus) => Number.isInteger(gpus) && gpus >= 1 && gpus <= 1e6);
  if (name === "gpus" && list !== "" && isValid) return numbers;
  throw new MoestroError(
    "invalid_input",
    `--what-if ${change}: is not gpus= with whole numbers from 1 to 1000000; use for example gpus=768,1536`,
  );
}

function describe(rows: readonly WhatIfRow[], hasExperts: boolean): string[] {
  const heads = ["gpus", "step", "tok/s/gpu", "tok/s", "mfu", "layout"];
  const cells = rows.map(({ gpus, best, reason }) => {
    if (best === null) return [String(gpus), "-", "-", "-", "-", reason ?? ""];
    const { predicted, layout } = best;
    return [
      String(gpus),
      `${(predicted.stepTimeMs / 1000).toFixed(2)} s`,
      predicted.tokensPerSecondPerGpu.toFixed(0),
      (predicted.tokensPerSecondPerGpu * gpus).toFixed(0),
      `${(100 * predicted.mfu).toFixed(1)} %`,
      [
        ...(hasExperts ? [layout.scheme] : []),
        `tp ${layout.tensorParallel} cp ${layout.contextParallel} pp ${layout.pipelineParallel} dp ${layout.dataParallel}`,
        ...(hasExperts ? [`ep ${layout.expertParallel} etp ${layout.expertTensorParallel}`] : []),
        layout.schedule,
      ].join(" "),
    ];
  });
  return table([heads, ...cells]);
}
