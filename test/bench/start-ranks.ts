import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { createController } from "../../coordinator/controller/controller.ts";
import { coefficientsMessage } from "../../coordinator/controller/message.ts";
import { controllerOptions } from "../../coordinator/controller/options.ts";
import { chooseDevice } from "../../coordinator/environment/device.ts";
import { planJob } from "../../coordinator/planner/plan-job.ts";
import { compileJob } from "../../coordinator/spec/compile-job.ts";
import { loadJob } from "../../coordinator/spec/load-job.ts";
import { cacheDirectory } from "../../coordinator/state-directory.ts";
import { StartRanksSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import { threadsPerRank } from "../../worker/agent/rank-process.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The message that starts a job's ranks, for ranks under torchrun that have no agent. */
export async function startRanks(
  jobPath: string,
  checkpointDirectory = "",
): Promise<{ bytes: Uint8Array; worldSize: number }> {
  const { job } = await loadJob(jobPath);
  const plan = planJob(job);
  const engineJob = compileJob(job, {
    checkpointDirectory,
    cacheDirectory: cacheDirectory(),
    device: await chooseDevice(job.cluster),
  });
  const [first] = createController(controllerOptions(job), job.model.layers).scheduled;
  const bytes = toBinary(
    StartRanksSchema,
    create(StartRanksSchema, {
      job: engineJob,
      plan,
      ranks: Array.from({ length: plan.worldSize }, (_, rank) => rank),
      coefficients: first ? [coefficientsMessage(first)] : [],
      networkInterface: process.platform === "linux" ? "lo" : "lo0",
    }),
  );
  return { bytes, worldSize: plan.worldSize };
}

/** torchrun's arguments for so many ranks on this machine, before the program's own. */
export function torchrunArguments(worldSize: number): string[] {
  return ["-m", "torch.distributed.run", "--standalone", `--nproc-per-node=${worldSize}`];
}

/** The environment an agent would give those ranks. */
export function rankEnvironment(worldSize: number): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PYTHONPATH: join(ROOT, "worker/engine"),
    OMP_NUM_THREADS: String(threadsPerRank(worldSize)),
  };
}
