import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { clone } from "@bufbuild/protobuf";
import { Command, Option } from "commander";
import { EngineJobSchema } from "../../proto/gen/moestro/v1/job_pb.js";
import { MoestroError } from "../errors.ts";
import { initialWeights } from "../run/initial-weights.ts";
import { CheckpointLedger, isCheckpoint, readManifest } from "../run/ledger.ts";
import { DamageError } from "../run/manifest.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { runsDirectoryOption } from "./options.ts";
import { convertWeights } from "./weights/convert.ts";
import { makeFolder } from "./weights/new-folder.ts";

type ExportModelOptions = { out: string; dtype: string; runsDir: string };

/** `moestro export-model`: a checkpoint becomes a folder that Transformers loads. */
export function exportModelCommand(): Command {
  return new Command("export-model")
    .description("write a trained model as a Hugging Face folder (Mixtral, or Llama of one expert)")
    .argument("<run-or-checkpoint>", "a run, whose newest checkpoint is taken, or a checkpoint")
    .requiredOption("--out <folder>", "folder of the model, which must be new")
    .addOption(
      new Option("--dtype <type>", "type of the weights")
        .choices(["float32", "bfloat16"])
        .default("float32"),
    )
    .addOption(runsDirectoryOption())
    .action(async (name: string, { out, dtype, runsDir }: ExportModelOptions) => {
      const directory = await findCheckpoint(name, runsDir);
      const weights = await initialWeights(directory);
      const job = clone(EngineJobSchema, jobOf(directory));
      job.initialWeights = weights;
      await makeFolder(out, (folder) =>
        convertWeights(["export", "--out", folder, "--dtype", dtype], job),
      );
      console.log(`${directory}: written to ${out}, for transformers' from_pretrained("${out}")`);
    });
}

/** A checkpoint's folder: the one named, or the newest whole one of the run named. */
async function findCheckpoint(name: string, runsDirectory: string): Promise<string> {
  if (isCheckpoint(name)) return resolve(name);
  const run = [name, join(runsDirectory, name)].find((path) =>
    existsSync(new RunDirectory(path).checkpoints),
  );
  if (run === undefined) {
    throw new MoestroError(
      "invalid_input",
      `${name}: is neither a checkpoint nor a run in ${runsDirectory}; give a run's id, or runs/<id>/checkpoints/step-<number>`,
    );
  }
  const ledger = new CheckpointLedger(resolve(new RunDirectory(run).checkpoints));
  const newest = await ledger.newest((directory, why) =>
    console.error(`note: ${directory}: ${why}; using the checkpoint before it`),
  );
  if (newest) return newest.directory;
  throw new MoestroError(
    "invalid_input",
    `${name}: has no checkpoint yet; let it run to one, or stop it with: moestro stop ${name}`,
  );
}

function jobOf(directory: string) {
  try {
    return readManifest(directory).job;
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    throw new MoestroError("invalid_input", `${directory}: ${error.message}; use another one`);
  }
}
