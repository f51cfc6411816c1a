import { isMapping } from "./mapping.ts";
import type { JobPath, Problem } from "./problems.ts";

/**
 * Stand-ins for required values that are wrong or missing. No rule between
 * fields can fail because of them.
 */
const STAND_INS: Record<string, unknown> = {
  name: "job",
  data: { source: "python-standard-library" },
  training: { steps: 1_000_000_000, learningRate: Number.MAX_VALUE },
};

/** Values that the layout's rules depend on, by section; all of it when true. */
const LAYOUT_INPUTS: Record<string, true | readonly string[]> = {
  model: true,
  layout: true,
  cluster: true,
  moe: ["experts"],
  training: ["sequenceLength", "globalBatchSize", "microBatchSize"],
};

/**
 * The job without what is wrong with it, so that rules between the remaining
 * fields can be checked in the same go.
 */
export function salvage(raw: unknown, problems: readonly Problem[]): unknown {
  if (!isMapping(raw)) return raw;
  const rest = structuredClone(raw);
  for (const { path } of problems) {
    // An entry of a list takes the list with it, and where the data is the whole of data.
    const [section, key] = path;
    const inside = section === undefined ? undefined : rest[section];
    if (key !== undefined && isMapping(inside) && section !== "data") delete inside[key];
    else if (section !== undefined) delete rest[section];
  }
  for (const [section, standIn] of Object.entries(STAND_INS)) {
    const given = rest[section];
    if (given === undefined) rest[section] = standIn;
    else if (section === "training" && isMapping(given)) {
      rest[section] = { ...(standIn as object), ...given };
    }
  }
  return rest;
}

/** Whether a wrong value leaves the layout's rules without a number they need. */
export function concernsLayout(problem: Problem): boolean {
  if (problem.at === "key") return false;
  const [section, key] = problem.path as JobPath;
  const inputs = LAYOUT_INPUTS[String(section)];
  if (inputs === undefined || inputs === true) return inputs === true;
  return key === undefined || inputs.includes(String(key));
}
