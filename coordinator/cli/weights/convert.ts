import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { type EngineJob, EngineJobSchema } from "../../../proto/gen/moestro/v1/job_pb.js";
import { requirePython } from "../../environment/python.ts";
import { MoestroError } from "../../errors.ts";

const ENGINE = fileURLToPath(new URL("../../../worker/engine", import.meta.url));
/** How the engine says that the user can mend it. */
const USER_ERROR = 2;

/**
 * Runs `python -m moestro_engine.huggingface` and returns what it printed.
 *
 * @param job the model whose weights are converted
 * @throws MoestroError with the engine's own line
 */
export async function convertWeights(args: readonly string[], job: EngineJob): Promise<string> {
  const { executable } = await requirePython();
  const child = spawn(executable, ["-m", "moestro_engine.huggingface", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      PYTHONPATH: [ENGINE, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
    },
  });
  // An engine that fails early reads nothing; its exit says why.
  child.stdin.on("error", () => {}).end(toBinary(EngineJobSchema, job));
  let output = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-65_536);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...end) => resolve(end));
  });
  if (code === 0) return output;
  const why = complaint.trim().split("\n").at(-1) || signal || `exit code ${code}`;
  throw new MoestroError(code === USER_ERROR ? "invalid_input" : "environment", why);
}
