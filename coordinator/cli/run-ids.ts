import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import { parse } from "yaml";
import { MoestroError } from "../errors.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { runsByAge } from "./run-client.ts";

/** Checks the name of a run's folder as commander's argument parsers do. */
export function parseRunId(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text)) return text;
  throw new InvalidArgumentError(
    "use up to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit",
  );
}

/** A new run's id: the one asked for, else the job's name and the time. */
export function newRunId(
  runsDirectory: string,
  name: string,
  asked: string | undefined,
  now: Date,
): string {
  const isFree = (id: string) => !isUsed(join(runsDirectory, id));
  if (asked !== undefined) {
    if (isFree(asked)) return asked;
    throw new MoestroError(
      "in_use",
      `${join(runsDirectory, asked)}: holds a run already; continue it with --resume ${asked}, or choose another --run-id`,
    );
  }
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  const base = `${name}-${stamp}`;
  for (let count = 1; ; count += 1) {
    const id = count === 1 ? base : `${base}-${count}`;
    if (isFree(id)) return id;
  }
}

/** The run to continue: the one asked for, else the job's newest. */
export function runToResume(runsDirectory: string, name: string, asked: true | string): string {
  const isRun = (id: string) => existsSync(new RunDirectory(join(runsDirectory, id)).plan);
  if (asked === true) {
    const newest = runsByAge(runsDirectory).find(
      (id) => isRun(id) && jobName(new RunDirectory(join(runsDirectory, id))) === name,
    );
    if (newest) return newest;
  } else if (isRun(asked)) return asked;
  const what = asked === true ? `no run of the job ${name}` : `no run ${asked}`;
  throw new MoestroError(
    "invalid_input",
    `${runsDirectory}: holds ${what}; start one without --resume`,
  );
}

function isUsed(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).length > 0;
}

/** The name in the job file a run was started with. */
function jobName(directory: RunDirectory): unknown {
  try {
    return parse(readFileSync(directory.job, "utf8"))?.name;
  } catch {
    return undefined;
  }
}
