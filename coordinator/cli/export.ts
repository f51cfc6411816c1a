import { readFile, writeFile } from "node:fs/promises";
import { Command, Option } from "commander";
import { MoestroError } from "../errors.ts";
import type { Chart } from "../planner/export/chart.ts";
import {
  EXPORT_FORMATS,
  type ExportFormat,
  exportWithNotes,
  isDrawn,
} from "../planner/export/export-plan.ts";
import { readPlanDocument } from "../planner/export/read-plan-document.ts";
import type { PlanDocument } from "../planner/plan-document.ts";
import type { Target } from "../planner/search/constraints.ts";

/** What a job is planned for, so that the format can say all of the plan. */
const TARGET_OF: Record<ExportFormat, Target> = {
  megatron: "megatron",
  torchtitan: "torchtitan",
  "torchtitan-0.2": "torchtitan",
  json: "any",
  perfetto: "any",
  html: "any",
};

/** The step that a plan predicts; undefined when its passes are too many to draw. */
type TimelineOf = (document: PlanDocument) => Chart | undefined;

/**
 * `moestro export`: a job's plan, or one that `moestro plan --json` wrote, for another tool.
 *
 * @param planOf plans a job file with what a format's own software can be told
 */
export function exportCommand(
  planOf: (path: string, target: Target) => Promise<PlanDocument>,
  timelineOf: TimelineOf,
): Command {
  return new Command("export")
    .description("write a plan for Megatron-Core, torchtitan or Perfetto, or as a page to look at")
    .argument(
      "<plan>",
      "a job file (.yaml), planned for what the format's software can be told (the other formats: for anything), or a plan that `moestro plan --json` wrote (.json), taken as it is",
    )
    .addOption(
      new Option("--to <format>", "what to write")
        .choices([...EXPORT_FORMATS])
        .makeOptionMandatory(),
    )
    .option("--out <file>", "where to write it; standard output when absent")
    .action(async (path: string, options: { to: ExportFormat; out?: string }) => {
      const document = /\.ya?ml$/i.test(path)
        ? await planOf(path, TARGET_OF[options.to])
        : readPlanDocument(await read(path), path);
      const timeline = isDrawn(options.to) ? timelineOf(document) : undefined;
      const { text, notes } = exportWithNotes(document, timeline, options.to);
      for (const note of notes) console.error(`note: ${note}`);
      if (options.out === undefined) process.stdout.write(text);
      else await write(options.out, text);
    });
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new MoestroError("invalid_input", `${path}: ${reasonOf(error)}; give a file to read`);
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new MoestroError(
      "invalid_input",
      `${path}: ${reasonOf(error)}; give --out a file in a folder that can be written`,
    );
  }
}

const REASONS: Record<string, string> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder",
  EACCES: "may not be touched",
  ENOTDIR: "lies in no folder",
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return REASONS[code] ?? (code || "cannot be used");
}
