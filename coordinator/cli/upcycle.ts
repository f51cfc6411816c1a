import { Command, InvalidArgumentError } from "commander";
import { MoestroError } from "../errors.ts";
import { readWeightsConfig } from "../spec/hugging-face-weights.ts";
import { describeWeights } from "./weights/describe.ts";
import { writeCheckpoint } from "./weights/write-checkpoint.ts";

const MAX_EXPERTS = 1024;

type UpcycleOptions = {
  experts: number;
  topK: number;
  out: string;
  seed: number;
  routerStd: number;
};

/** `moestro upcycle`: a dense model becomes a Mixture of Experts that computes the same. */
export function upcycleCommand(): Command {
  return new Command("upcycle")
    .description("make a Mixture of Experts of a dense model's weights, for a job to start from")
    .argument("<folder>", "a Hugging Face folder of the Llama family: config.json and safetensors")
    .requiredOption("--experts <n>", "experts of each layer, all copies of its network", parseCount)
    .option("--top-k <k>", "experts each token goes to", parseCount, 2)
    .requiredOption("--out <folder>", "folder of the checkpoint, which must be new")
    .option("--seed <n>", "seed of the router's noise", parseSeed, 1)
    .option("--router-std <std>", "standard deviation of the router's noise", parseStd, 0.02)
    .action(async (source: string, options: UpcycleOptions) => {
      const { experts, topK, out, seed, routerStd } = options;
      if (topK > experts) {
        throw new MoestroError(
          "invalid_input",
          `--top-k: ${topK} is more than --experts ${experts}; use at most ${experts}`,
        );
      }
      const weights = await readWeightsConfig(source, { kind: "upcycle", experts, topK });
      const args = ["--seed", String(seed), "--router-std", String(routerStd)];
      const size = await writeCheckpoint({ kind: "upcycle", source, weights, out, args });
      console.log(describeWeights(source, out, weights, size));
    });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MAX_EXPERTS) return count;
  throw new InvalidArgumentError(`give a whole number from 1 to ${MAX_EXPERTS}`);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new InvalidArgumentError("give a whole number from 0");
}

function parseStd(text: string): number {
  const std = Number(text);
  if (text.trim() !== "" && std > 0 && std <= 100) return std;
  throw new InvalidArgumentError("give a number above 0, at most 100");
}
