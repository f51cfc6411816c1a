import { MoestroError } from "../../errors.ts";
import {
  type JobPath,
  type JobSource,
  type Problem,
  problemsToError,
} from "../../spec/problems.ts";
import { jobSections } from "./job-sections.ts";

/** What the job is called inside, before its errors are told in the spec's terms. */
export const INNER_NAME = "MoETrainingJob";

const SECTIONS = ["name", ...Object.keys(jobSections())].join("|");
const POSITION = new RegExp(`^${INNER_NAME}(?::\\d+:\\d+)?: `);
const PLACE = new RegExp(`^((?:${SECTIONS})(?:\\.[A-Za-z]\\w*|\\[\\d+\\])*): (.*)$`, "s");

/** Where the spec says what a job says elsewhere. */
const ELSEWHERE: Record<string, JobPath> = {
  name: ["metadata", "name"],
  "cluster.nodes": ["spec", "nodes", "max"],
  "cluster.ranks": ["spec", "nodes", "max"],
  "cluster.gpusPerNode": ["spec", "gpusPerNode"],
};

/** And how messages call it. */
const WORDS: readonly (readonly [string, string])[] = [
  ["cluster.ranks", "nodes × gpusPerNode"],
  ["cluster.nodes", "nodes.max"],
  ["cluster.gpusPerNode", "gpusPerNode"],
];

/**
 * Does what may find faults with a job made from a spec; they are then told where the spec has
 * them, with line and column where it was read from a file.
 *
 * @throws MoestroError of the same code
 */
export async function inSpecTerms<Result>(
  source: JobSource | undefined,
  judge: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await judge();
  } catch (error) {
    if (!(error instanceof MoestroError)) throw error;
    throw problemsToError(error.lines.map(problemOf), source, error.code);
  }
}

function problemOf(line: string): Problem {
  const text = line.replace(POSITION, "");
  const [, place, message] = PLACE.exec(text) ?? [];
  if (place === undefined || message === undefined) return { path: ["spec"], message: text };
  const told = WORDS.reduce((told, [job, spec]) => told.replaceAll(job, spec), message);
  return { path: ELSEWHERE[place] ?? ["spec", ...keysOf(place)], message: told };
}

function keysOf(place: string): JobPath {
  return place
    .split(/[.[\]]/)
    .filter((key) => key !== "")
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key));
}
