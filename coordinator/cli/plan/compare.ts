import { MoestroError } from "../../errors.ts";
import { comparison } from "../../planner/describe/comparison.ts";
import type { PlanChoice } from "../../planner/plan-document.ts";
import type { Constraints, Target } from "../../planner/search/constraints.ts";
import { planChoice } from "../../planner/search/plan-choice.ts";
import { searchLayouts } from "../../planner/search/search-layouts.ts";
import { checkRules } from "../../spec/job-rules.ts";
import type { JobFile } from "../../spec/load-job.ts";
import { SCHEDULE_NAMES, SCHEME_NAMES } from "../../spec/sections/layout.ts";
import { asFixed } from "./no-layout.ts";
import { conflictsOf, nothingFits, problemOfFile, refusedOption } from "./plan-file.ts";

const SIZES = {
  tp: "tensorParallel",
  cp: "contextParallel",
  pp: "pipelineParallel",
  dp: "dataParallel",
  ep: "expertParallel",
  etp: "expertTensorParallel",
} as const;

/** The best plan of each layout, side by side; what a layout leaves open is searched. */
export async function compareLayouts(
  file: JobFile,
  target: Target,
  layouts: readonly string[],
): Promise<{ choices: PlanChoice[]; text: string }> {
  const problem = await problemOfFile(file, target);
  const choices = layouts.map((text) => {
    const { workload, constraints } = problem;
    const fixed = { ...constraints, ...parseLayout(text, constraints) };
    const asked = asFixed(file.job, fixed);
    const broken = [...checkRules(asked), ...conflictsOf(asked)];
    if (broken.length > 0) throw refusedOption(`--compare ${text}`, broken);
    const search = searchLayouts(workload, fixed);
    if (search.best === undefined) {
      throw nothingFits({ workload, constraints: fixed }, search, file, `--compare ${text}`);
    }
    return planChoice(search.best);
  });
  return { choices, text: comparison(choices, file.job.moe.experts > 0).join("\n") };
}

function parseLayout(text: string, constraints: Constraints): Partial<Constraints> {
  const parsed: Partial<Constraints> = {};
  const fixed = { ...constraints.fixed };
  const seen = new Set<string>();
  for (const entry of text.split(",")) {
    const [key = "", value = ""] = entry.split("=").map((part) => part.trim());
    if (seen.has(key)) {
      throw new MoestroError(
        "invalid_input",
        `--compare ${text}: ${key} stands twice; give each size once, and a layout of its own for the other`,
      );
    }
    seen.add(key);
    const number = Number(value);
    const scheme = SCHEME_NAMES.find((name) => name === value);
    const schedule = SCHEDULE_NAMES.find((name) => name === value);
    const isSize = Number.isInteger(number) && number >= 1;
    if (key === "scheme" && scheme !== undefined) fixed.scheme = scheme;
    else if (Object.hasOwn(SIZES, key) && isSize) fixed[SIZES[key as keyof typeof SIZES]] = number;
    else if (key === "mbs" && isSize) parsed.microBatchSize = number;
    else if (key === "vpp" && isSize) parsed.virtualPipeline = number;
    else if (key === "schedule" && schedule !== undefined) parsed.schedules = [schedule];
    else {
      throw new MoestroError(
        "invalid_input",
        `--compare ${text}: ${JSON.stringify(entry)} is no size; use ${Object.keys(SIZES).join(", ")}, vpp or mbs with a whole number above 0, scheme=${SCHEME_NAMES.join("|")} or schedule=${SCHEDULE_NAMES.join("|")}, joined by commas`,
      );
    }
  }
  return { ...parsed, fixed };
}
