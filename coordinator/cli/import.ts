import { Command } from "commander";
import { readWeightsConfig } from "../spec/hugging-face-weights.ts";
import { describeWeights } from "./weights/describe.ts";
import { writeCheckpoint } from "./weights/write-checkpoint.ts";

/** `moestro import`: a Mixtral folder becomes a checkpoint that training starts from. */
export function importCommand(): Command {
  return new Command("import")
    .description("make a checkpoint of a Mixtral's weights, for a job to start from")
    .argument("<folder>", "a Hugging Face folder: config.json and safetensors")
    .requiredOption("--out <folder>", "folder of the checkpoint, which must be new")
    .action(async (source: string, { out }: { out: string }) => {
      const weights = await readWeightsConfig(source, { kind: "import" });
      const size = await writeCheckpoint({ kind: "import", source, weights, out });
      console.log(describeWeights(source, out, weights, size));
    });
}
