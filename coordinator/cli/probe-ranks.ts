import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { type EngineJob, EngineJobSchema } from "../../proto/gen/moestro/v1/job_pb.js";
import { MoestroError } from "../errors.ts";
import type { ProbeTables } from "../planner/hardware/probe-tables.ts";

const ENGINE = fileURLToPath(new URL("../../worker/engine", import.meta.url));

export interface ProbeRun {
  python: string;
  job: EngineJob;
  ranks: number;
  tensorParallel: readonly number[];
  microBatches: readonly number[];
  steps: number;
}

/**
 * Starts all ranks of a probe at once, since ranks that share cores slow each other
 * down, and returns what they measured.
 *
 * @throws MoestroError `environment` with the last line of the first rank that failed
 */
export async function runProbe(run: ProbeRun): Promise<ProbeTables> {
  const folder = mkdtempSync(join(tmpdir(), "moestro-probe-"));
  try {
    const jobPath = join(folder, "job.bin");
    const out = join(folder, "tables.json");
    writeFileSync(jobPath, toBinary(EngineJobSchema, run.job));
    const port = await freePort();
    const stop = new AbortController();
    const ranks = Array.from({ length: run.ranks }, (_, rank) =>
      startRank(run, { rank, port, jobPath, out, signal: stop.signal }).catch((error: unknown) => {
        // The others would wait for a rank that has failed.
        stop.abort();
        throw error;
      }),
    );
    const failed = (await Promise.allSettled(ranks)).flatMap((end) =>
      end.status === "rejected" && end.reason?.name !== "AbortError" ? [end.reason] : [],
    );
    if (failed.length > 0) throw failed[0];
    return JSON.parse(readFileSync(out, "utf8")) as ProbeTables;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface RankStart {
  rank: number;
  port: number;
  jobPath: string;
  out: string;
  signal: AbortSignal;
}

function startRank(run: ProbeRun, { rank, port, jobPath, out, signal }: RankStart): Promise<void> {
  const args = ["-m", "moestro_engine.probe", jobPath, "--out", out];
  args.push("--tensor-parallel", run.tensorParallel.join(","));
  args.push("--micro-batches", run.microBatches.join(","), "--steps", String(run.steps));
  const child = spawn(run.python, args, {
    stdio: ["ignore", "ignore", "pipe"],
    signal,
    killSignal: "SIGKILL",
    env: {
      ...process.env,
      PYTHONPATH: [ENGINE, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
      OMP_NUM_THREADS: String(Math.max(1, Math.floor(availableParallelism() / run.ranks))),
      RANK: String(rank),
      WORLD_SIZE: String(run.ranks),
      MASTER_ADDR: "127.0.0.1",
      MASTER_PORT: String(port),
      ...(process.platform === "linux" ? { GLOO_SOCKET_IFNAME: "lo" } : {}),
    },
  });
  let tail = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-4096);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, killed) => {
      if (code === 0) return resolve();
      const why = tail.trim().split("\n").at(-1) || killed || `exit code ${code}`;
      reject(new MoestroError("environment", `probe: rank ${rank} failed: ${why}`));
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
