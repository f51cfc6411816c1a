import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../faults/patience.ts";
import { kill, numConnected, statusOf, submission, submit } from "./calls.ts";
import { CoordinatorProcess } from "./coordinator.ts";
import { percentile } from "./figures.ts";
import { HealthWatch } from "./health-watch.ts";
import { Hosts } from "./hosts.ts";
import { jobText, RANKS_PER_AGENT } from "./job.ts";
import { measureJoins } from "./joins.ts";
import { measureQueue } from "./queue.ts";

/** A coefficient made from step s takes effect this many steps later. */
const EFFECTIVE_AFTER_STEPS = 2;
/** Before the measurement: caches fill, code is compiled. */
const SETTLE_MS = 10_000;
const RUN_ID = "scale";

export type MeasureOptions = {
  numAgents: number;
  seconds: number;
  /** Between two reports of an agent. */
  stepMs: number;
  pipelineParallel: number;
  numQueued: number;
  numJoins: number;
  /** A folder for the coordinator's processor profile. */
  profile: string | undefined;
};

export type Figures = {
  numAgents: number;
  cores: number;
  residentBytes: number;
  reportsPerSecond: number;
  controlP50Ms: number;
  controlP99Ms: number;
  restartMs: number;
  /** More, for people: what was measured, and what came out. */
  lines: Record<string, string>;
};

/** One coordinator with so many agents, from its start to its end. */
export async function measure(options: MeasureOptions): Promise<Figures> {
  const { numAgents, seconds, stepMs, pipelineParallel, numQueued, numJoins, profile } = options;
  const profiling = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
  const coordinator = await CoordinatorProcess.start(profiling);
  let hosts: Hosts | undefined;
  try {
    const client = await coordinator.client("user:bench");
    const began = performance.now();
    hosts = await Hosts.start(coordinator, numAgents, stepMs);
    const connecting = () => numConnected(client).then((count) => count === numAgents);
    await until("all agents are connected", connecting);
    const connectMs = performance.now() - began;
    const idle = await watchProcess(coordinator, 5000);

    const numRanks = numAgents * RANKS_PER_AGENT;
    const submittedAtMs = wallClock();
    await submit(client, await submission(jobText(numRanks, pipelineParallel), RUN_ID));
    const stood = await hosts.all("stand", ({ generation }) => generation === 1);
    const startMs = latest(stood) - submittedAtMs;

    await sleep(SETTLE_MS);
    const health = new HealthWatch(client);
    const fromMs = wallClock();
    const busy = await watchProcess(coordinator, seconds * 1000);
    const untilMs = wallClock();
    const healthMs = await health.end();
    await sleep(stepMs * 2);
    const delays = controlDelays(hosts, fromMs, untilMs);
    const recorded = await checkRecords(coordinator, hosts, 1);

    const queueLines = numQueued > 0 ? await measureQueue(coordinator, client, numQueued) : {};
    const joinLines = numJoins > 0 ? await measureJoins(coordinator, numJoins) : {};

    const before = await statusOf(client, RUN_ID);
    if (before?.generation !== 1n) {
      throw new Error(`the ranks were restarted ${before?.restarts} times: ${before?.reason}`);
    }
    const killedAtMs = wallClock();
    hosts.kill(numRanks >> 1);
    const ended = await hosts.all("ended", ({ generation }) => generation === 1);
    const again = await hosts.all("stand", ({ generation }) => generation === 2);
    const restartMs = latest(again) - killedAtMs;
    await until("the first step after the restart", async () => {
      const status = await statusOf(client, RUN_ID);
      return status?.generation === 2n && status.step > 0n;
    });
    const { peakBytes } = coordinator.memory();
    await kill(client, RUN_ID);
    await hosts.all("ended", ({ generation }) => generation === 2);
    client.close();
    const figure = (value: number, unit: string, digits = 0) => `${value.toFixed(digits)} ${unit}`;
    return {
      ...{ numAgents, cores: busy.cores, residentBytes: busy.residentBytes, restartMs },
      reportsPerSecond: recorded.perSecond * numAgents,
      controlP50Ms: percentile(delays, 0.5),
      controlP99Ms: percentile(delays, 0.99),
      lines: {
        "agents' processes": String(hosts.numProcesses),
        "all connected, certificates made": figure(connectMs / 1000, "s", 1),
        "submitted → all ranks stand": figure(startMs / 1000, "s", 2),
        "without a run": `${figure(idle.cores, "cores", 2)}, ${figure(idle.residentBytes / 1e6, "MB")}`,
        training: `${figure(busy.cores, "cores", 2)}, ${figure(busy.residentBytes / 1e6, "MB")}`,
        "most memory so far": figure(peakBytes / 1e6, "MB"),
        "steps recorded, each once": recorded.line,
        "control: last report → coefficients": `p50 ${figure(percentile(delays, 0.5), "ms")}, p99 ${figure(percentile(delays, 0.99), "ms")}, of ${delays.length} steps`,
        "health check meanwhile": `p50 ${figure(percentile(healthMs, 0.5), "ms", 1)}, longest ${figure(percentile(healthMs, 1), "ms")}`,
        "a rank dies → all have ended": figure((latest(ended) - killedAtMs) / 1000, "s", 2),
        "a rank dies → all stand again": figure(restartMs / 1000, "s", 2),
        ...queueLines,
        ...joinLines,
      },
    };
  } finally {
    await hosts?.end();
    await coordinator.end();
  }
}

/** Processor and memory over a span. */
async function watchProcess(coordinator: CoordinatorProcess, spanMs: number) {
  const before = coordinator.cpuSeconds();
  const began = performance.now();
  await sleep(spanMs);
  const cores = ((coordinator.cpuSeconds() - before) / (performance.now() - began)) * 1000;
  return { cores, residentBytes: coordinator.memory().residentBytes };
}

/** By step: from the last report handed over, by any agent, to the coefficients at rank 0. */
function controlDelays(hosts: Hosts, fromMs: number, untilMs: number): number[] {
  const reported = new Map<number, number[]>();
  for (const { step, atMs, generation } of hosts.told("reported")) {
    if (generation === 1) reported.set(step, [...(reported.get(step) ?? []), atMs]);
  }
  return hosts.told("coefficients").flatMap(({ effectiveStep, atMs, generation }) => {
    const sent = reported.get(effectiveStep - EFFECTIVE_AFTER_STEPS) ?? [];
    if (generation !== 1 || sent.length < hosts.numProcesses) return [];
    const sentAtMs = Math.max(...sent);
    return sentAtMs >= fromMs && sentAtMs < untilMs ? [atMs - sentAtMs] : [];
  });
}

/** Every step that was reported is there, once, with the sums of all ranks. */
async function checkRecords(coordinator: CoordinatorProcess, hosts: Hosts, generation: number) {
  const told = hosts.told("reported").filter((one) => one.generation === generation);
  const last = Math.max(...told.map(({ step }) => step)) - 1;
  const read = () => readRecords(coordinator);
  const behind = Math.max(0, last - read().length);
  // What a busy machine is behind with is not lost.
  const records = await until(`the record of step ${last}`, () => {
    const found = read();
    return found.length >= last ? found : undefined;
  });
  const steps = records.map(({ step }) => step);
  const isWhole = steps.every((step, index) => step === index + 1) && steps.length >= last;
  const tokens = new Set(records.map((record) => record.tokens));
  if (!isWhole || tokens.size !== 1) {
    throw new Error(
      `reports were lost: ${steps.length} steps are recorded of ${last}, with ${[...tokens].join(" or ")} tokens`,
    );
  }
  const spanMs = latest(told) - Math.min(...told.map(({ atMs }) => atMs));
  const perSecond = (Math.max(...told.map(({ step }) => step)) - 1) / (spanMs / 1000);
  const late = behind > 0 ? `, ${behind} of them late: the machine is too small` : "";
  return { perSecond, line: `${steps.length}, none missing${late}` };
}

function readRecords(coordinator: CoordinatorProcess) {
  const lines = coordinator.runFile(RUN_ID, "metrics.jsonl").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as { step: number; tokens: number });
}

function latest(told: readonly { atMs: number }[]): number {
  return Math.max(...told.map(({ atMs }) => atMs));
}

function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
