import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { requirePython } from "../environment/python.ts";
import { MoestroError } from "../errors.ts";

const ENGINE = fileURLToPath(new URL("../../worker/engine", import.meta.url));
/** Exit codes of the engine's converter, each after a line of its own on standard error. */
const EXPLAINED = [0, 2, 4, 130];
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "disconnect"] as const;

interface PrepareOptions {
  out: string;
  tokenizer: string;
  field: string;
  workers?: number;
  appendEod: boolean;
  eodToken?: string;
  overwrite: boolean;
}

export function dataCommand(): Command {
  const prepare = new Command("prepare")
    .description("turn text, JSONL and Parquet into token files, as Megatron reads them")
    .argument("<inputs...>", "files (text, .jsonl, .parquet) or folders of them")
    .requiredOption("--out <prefix>", "where <prefix>.bin and <prefix>.idx go")
    .option("--tokenizer <bytes|path>", "bytes, or the path of a tokenizer.json", "bytes")
    .option("--field <name>", "the field or column that holds the text", "text")
    .option("--workers <n>", "processes at work (default: one a processor)", parseWorkers)
    .option("--append-eod", "end every document with the end-of-document token", false)
    .option("--eod-token <token>", "which token that is (default: the tokenizer's own)")
    .option("--overwrite", "replace files that are there already", false)
    .action(async (inputs: string[], options: PrepareOptions) => {
      const python = await requirePython();
      process.exitCode = await runConverter(python.executable, [
        ...["--out", options.out, "--tokenizer", options.tokenizer, "--field", options.field],
        ...(options.workers === undefined ? [] : ["--workers", String(options.workers)]),
        ...(options.appendEod ? ["--append-eod"] : []),
        ...(options.eodToken === undefined ? [] : [`--eod-token=${options.eodToken}`]),
        ...(options.overwrite ? ["--overwrite"] : []),
        ...["--", ...inputs],
      ]);
    });
  return new Command("data")
    .description("prepare token files to train on")
    .addCommand(prepare.exitOverride());
}

/** Runs the engine's converter on this terminal; it tells of its own mistakes in one line. */
async function runConverter(python: string, args: readonly string[]): Promise<number> {
  const child = spawn(python, ["-m", "moestro_engine.data.convert", ...args], {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PYTHONPATH: [ENGINE, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
    },
  });
  // The converter removes what is half done and ends; a terminal's Ctrl-C has reached it already.
  const pass = (signal: NodeJS.Signals | undefined) => {
    if (signal !== "SIGINT") child.kill("SIGTERM");
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  try {
    const [code, killed] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once("error", reject);
        child.once("close", (...end) => resolve(end));
      },
    );
    if (code !== null && EXPLAINED.includes(code)) return code;
    const how = killed === null ? `exit code ${code}` : `${killed}, perhaps for lack of memory`;
    throw new MoestroError("environment", `data prepare: the converter ended with ${how}`);
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}

function parseWorkers(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1024) {
    throw new InvalidArgumentError("give a whole number from 1 to 1024");
  }
  return count;
}
