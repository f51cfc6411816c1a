import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MoestroError } from "../errors.ts";
import { adviseCommand } from "./advise.ts";

/** What the command prints, or the lines it is refused with. */
async function run(...flags: string[]): Promise<string> {
  const printed: string[] = [];
  const { log } = console;
  console.log = (line: string) => printed.push(line);
  try {
    const command = adviseCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    await command.parseAsync(flags, { from: "user" });
  } catch (error) {
    if (error instanceof MoestroError) return error.lines.join("\n");
    return String(error);
  } finally {
    console.log = log;
  }
  return printed.join("\n");
}

const MOE = ["--model", "Skywork-MoE", "--tokens", "1.2e12"];

describe("moestro advise", () => {
  it("gives decision, rule and numbers as JSON", async () => {
    const dense = ["--dense-model", "skywork-13b", "--dense-tokens", "3e12", "--json"];
    const advice = JSON.parse(await run(...MOE, ...dense));
    assert.deepEqual([advice.decision, advice.rule], ["upcycle", "between"]);
    assert.ok(advice.ratio > 0.5 && advice.ratio < 1);
  });

  it("says for people what to do with learning rate and experts", async () => {
    const text = await run(...MOE, "--no-dense");
    assert.match(text, /^Train from scratch\./);
    assert.match(text, /Learning rate: .*\n {2}Experts: /);
  });

  const refused: Record<string, [string[], RegExp]> = {
    "neither a dense model nor --no-dense": [MOE, /^--dense-model: is missing/],
    "a dense model without its tokens": [
      [...MOE, "--dense-model", "llama2-7b"],
      /^--dense-tokens: is missing/,
    ],
    "an unknown model": [
      ["--model", "mixtral-8x7", "--tokens", "1", "--no-dense"],
      /^--model: "mixtral-8x7" is no preset and no YAML file; did you mean mixtral-8x7b\?/,
    ],
    "a dense model to be trained": [
      ["--model", "llama3-8b", "--tokens", "1", "--no-dense"],
      /^--model: llama3-8b is a dense model/,
    ],
    "tokens that are no number": [["--model", "dbrx", "--tokens", "NaN"], /number of tokens/],
    "tokens whose FLOPs no number holds": [
      ["--model", "dbrx", "--tokens", "1e300", "--no-dense"],
      /number of tokens from 1 to 1e\+18/,
    ],
    "negative tokens": [["--model", "dbrx", "--tokens=-5"], /number of tokens/],
  };
  for (const [name, [flags, message]] of Object.entries(refused)) {
    it(`refuses ${name}`, async () => assert.match(await run(...flags), message));
  }
});
