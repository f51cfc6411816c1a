import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@grpc/grpc-js";
import { splitAddress } from "../../coordinator/rpc/address.ts";
import type { Role } from "../../coordinator/rpc/roles.ts";
import type { SubmitRunRequest } from "../../proto/gen/moestro/v1/run_pb.js";
import { kill, submission, submit } from "../bench/scale/calls.ts";
import { CoordinatorProcess } from "../bench/scale/coordinator.ts";
import { percentile } from "../bench/scale/figures.ts";
import { HealthWatch } from "../bench/scale/health-watch.ts";
import { jobText } from "../bench/scale/job.ts";
import { Random } from "../faults/random.ts";
import { agents } from "./attacks/agents.ts";
import { calls } from "./attacks/calls.ts";
import { halfOpen } from "./attacks/half-open.ts";
import { http2Frames } from "./attacks/http2-frames.ts";
import { manyStreams } from "./attacks/many-streams.ts";
import { tlsRecords } from "./attacks/tls-records.ts";
import type { Attack, Caller, Target } from "./target.ts";

/** Each goes on side by side with the others, and two of each kind. */
const ATTACKS: readonly Attack[] = [
  ...[tlsRecords, http2Frames, calls, calls, calls, manyStreams, halfOpen, agents, agents],
];
const NUM_AGENTS = 4;
const SUBMIT_EVERY_MS = 300;
const RUNS_AT_ONCE = 8;
const GC = join(import.meta.dirname, "collect-garbage.ts");
/** Share of the time after which memory is looked at first: by then caches and code are there. */
const WARM_UP = 0.3;
/** For what closed connections leave to be noticed. */
const SETTLE_MS = 2000;
const MAX_GROWTH_BYTES = 100e6;
/** What no process writes that has its errors in hand. */
const TROUBLE = /unhandled|uncaught|^\s+at |Error:|MaxListeners|Warning/im;

export type FuzzReport = {
  seed: number;
  /** How often what was tried. */
  counts: ReadonlyMap<string, number>;
  faults: readonly string[];
  residentBytes: { warm: number; end: number };
  health: { count: number; p99Ms: number; longestMs: number };
};

/** Attacks a coordinator of its own for so long, and says how it took it. */
export async function runFuzz(seconds: number, seed: number): Promise<FuzzReport> {
  const coordinator = await CoordinatorProcess.start(["--expose-gc", "--import", GC]);
  const counts = new Map<string, number>();
  const faults = new Set<string>();
  const enough = new AbortController();
  try {
    const target = await targetOf(coordinator, {
      count: (what) => counts.set(what, (counts.get(what) ?? 0) + 1),
      fault: (what) => faults.add(what),
      signal: enough.signal,
    });
    const admin = await coordinator.client("user:watcher");
    const request = await submission(jobText(2, 1), "");
    for (const runId of target.runIds) await submit(admin, { ...request, runId });
    const health = new HealthWatch(admin);
    const attackers = ATTACKS.map(async (attack, index) => {
      const random = new Random(seed + index);
      while (!enough.signal.aborted) await attack(target, random);
    });
    attackers.push(keepSubmitting(admin, request, enough.signal));
    await goOn(coordinator, seconds * WARM_UP * 1000);
    const warm = await residentBytes(coordinator);
    await goOn(coordinator, seconds * (1 - WARM_UP) * 1000);
    enough.abort();
    await Promise.all(attackers);
    const durationsMs = await health.end();
    if (coordinator.isRunning) await sleep(SETTLE_MS);
    else faults.add("the coordinator has ended");
    const end = await residentBytes(coordinator);
    if (health.failure !== "") faults.add(`a health check failed: ${health.failure}`);
    if (end - warm > MAX_GROWTH_BYTES) {
      faults.add(`its memory grew by ${((end - warm) / 1e6).toFixed(0)} MB`);
    }
    for (const line of coordinator.log.split("\n")) {
      if (!line.startsWith("{") && TROUBLE.test(line)) faults.add(`on standard error: ${line}`);
    }
    admin.close();
    return {
      ...{ seed, counts, faults: [...faults], residentBytes: { warm, end } },
      health: {
        count: durationsMs.length,
        p99Ms: percentile(durationsMs, 0.99),
        longestMs: percentile(durationsMs, 1),
      },
    };
  } finally {
    enough.abort();
    await coordinator.end();
  }
}

async function targetOf(
  coordinator: CoordinatorProcess,
  told: Pick<Target, "count" | "fault" | "signal">,
): Promise<Target> {
  const { host, port } = splitAddress(coordinator.address);
  const caller = async (name: string, role?: Role): Promise<Caller> => {
    return { name, material: await coordinator.certificate(name, role) };
  };
  const names = Array.from({ length: NUM_AGENTS }, (_, index) => `agent:fuzz-${index}`);
  const agentCallers = await Promise.all(names.map((name) => caller(name)));
  const callers = await Promise.all([
    ...[caller("user:fuzz-admin"), caller("user:fuzz-submitter", "submitter")],
    ...[caller("user:fuzz-viewer", "viewer"), caller("coordinator")],
  ]);
  return {
    ...{ host, port, joinPort: coordinator.joinPort, agents: agentCallers, ...told },
    callers: [...callers, ...agentCallers.slice(0, 1), { name: "nobody", material: undefined }],
    runIds: ["fuzz-0", "fuzz-1", "fuzz-2"],
  };
}

/** Agents that say anything end their runs: there is always another for them to be given. */
async function keepSubmitting(
  admin: Client,
  request: SubmitRunRequest,
  signal: AbortSignal,
): Promise<void> {
  for (let number = 0; !signal.aborted; number += 1) {
    // One that fails shows in the health checks.
    await submit(admin, { ...request, runId: `fuzzed-${number}` }).catch(() => {});
    // Most have failed by then; those that wait would only add up.
    await kill(admin, `fuzzed-${number - RUNS_AT_ONCE}`).catch(() => {});
    await sleep(SUBMIT_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}

/** For so long, or until the coordinator has ended. */
async function goOn(coordinator: CoordinatorProcess, spanMs: number): Promise<void> {
  const until = performance.now() + spanMs;
  while (performance.now() < until && coordinator.isRunning) await sleep(100);
}

/** What it holds once nothing is left to collect. */
async function residentBytes(coordinator: CoordinatorProcess): Promise<number> {
  if (!coordinator.isRunning) return 0;
  for (let left = 3; left > 0; left -= 1) {
    coordinator.signal("SIGUSR2");
    await sleep(300);
  }
  return coordinator.memory().residentBytes;
}
