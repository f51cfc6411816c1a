// What the operator costs by its number of MoETrainingJobs: time until all children of all jobs
// are made, requests to the API server for each, memory, and what it asks for while nothing
// changes. The operator is a `moestro operator` of its own, with its own Redis; the API server
// is the played one of test/kubernetes, without nodes, in a process of its own.
//
//   npm run bench:kubernetes -- [--jobs 100,1000] [--steady-seconds 60]
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { table } from "../../coordinator/planner/text-table.ts";
import { Daemon } from "../faults/daemon.ts";
import { until } from "../faults/patience.ts";
import type { Answer, Question } from "./kubernetes/played-cluster.ts";
import { cpuSeconds, memoryBytes } from "./scale/process-figures.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "100,1000" },
    "steady-seconds": { type: "string", default: "60" },
  },
});
const ROOT = join(import.meta.dirname, "../..");
const SAMPLE = parse(readFileSync(join(ROOT, "k8s/samples/quickstart.yaml"), "utf8"));
const JOBS = "/apis/moestro.dev/v1alpha1/namespaces/default/moetrainingjobs";
/** Jobs that are applied side by side. */
const CONCURRENCY = 16;
/** Nothing was asked for so long: all that there was to do is done. */
const QUIET_MS = 12_000;
/** Once for the operator, not for any job. */
const OVERHEAD = /^(watch |list |get apis|get leases|create leases|update leases|get version)/;

/** What the benchmark itself does. */
const APPLIED = "create moetrainingjobs.moestro.dev";

type Ready = Extract<Answer, { kind: "ready" }>;
type Count = Extract<Answer, { kind: "count" }>;

interface Row {
  numJobs: number;
  madeSeconds: number;
  requestsPerJob: number;
  steadyPerSecond: number;
  residentBytes: number;
  cores: number;
  byKind: [string, number][];
}

async function measure(numJobs: number): Promise<Row> {
  const directory = mkdtempSync(join(tmpdir(), "moestro-bench-"));
  const played = fork(join(import.meta.dirname, "kubernetes/played-cluster.ts"));
  const [ready] = (await once(played, "message")) as [Ready];
  const log = join(directory, "operator.log");
  const operator = new Daemon(
    [
      ...[process.execPath, join(ROOT, "bin/moestro.mjs"), "operator"],
      ...["--listen=127.0.0.1:0", "--join-port=0", "--namespace=default"],
      ...[`--kubeconfig=${ready.kubeconfig}`, `--runs-dir=${join(directory, "runs")}`],
    ],
    { ...process.env, MOESTRO_HOME: join(directory, "home") },
    directory,
    log,
  );
  process.once("exit", () => operator.signal("SIGTERM"));
  try {
    await until("the operator leads", () =>
      readFileSync(log, "utf8").includes("carries out MoETrainingJobs"),
    );
    await sleep(2000);
    const emptyBytes = memoryBytes(operator.pid).residentBytes;
    ask(played, { kind: "reset" });
    const fromMs = performance.now();
    const cpuBefore = cpuSeconds(operator.pid);
    await apply(ready, numJobs);
    const appliedSeconds = (performance.now() - fromMs) / 1000;
    await until(
      "all children",
      async () => (await counted(played)).numAgentsJobs === numJobs,
      600_000,
    );
    const madeSeconds = (performance.now() - fromMs) / 1000;
    const cores = (cpuSeconds(operator.pid) - cpuBefore) / madeSeconds;
    await quiet(played);
    const { requests } = await counted(played);
    const ofJobs = requests.filter(([kind]) => !OVERHEAD.test(kind) && kind !== APPLIED);
    ask(played, { kind: "reset" });
    await sleep(Number(values["steady-seconds"]) * 1000);
    const steady = (await counted(played)).requests;
    const { residentBytes } = memoryBytes(operator.pid);
    console.log(
      `\n${numJobs} jobs, applied in ${appliedSeconds.toFixed(1)} s; empty ${(emptyBytes / 1e6).toFixed(0)} MB`,
    );
    for (const [kind, count] of requests) {
      console.log(`  ${kind}: ${count} (${(count / numJobs).toFixed(2)} a job)`);
    }
    console.log(`  while nothing changes: ${steady.map((one) => one.join(" ")).join(", ")}`);
    return {
      ...{ numJobs, madeSeconds, residentBytes, cores, byKind: requests },
      requestsPerJob: sum(ofJobs) / numJobs,
      steadyPerSecond: sum(steady) / Number(values["steady-seconds"]),
    };
  } finally {
    operator.signal("SIGTERM");
    await operator.ended;
    ask(played, { kind: "end" });
    await once(played, "exit");
    rmSync(directory, { recursive: true, force: true });
  }
}

const sum = (requests: readonly [string, number][]) =>
  requests.reduce((total, [, count]) => total + count, 0);

function ask(played: ChildProcess, question: Question): void {
  played.send(question);
}

async function counted(played: ChildProcess): Promise<Count> {
  ask(played, { kind: "count" });
  const [answer] = (await once(played, "message")) as [Count];
  return answer;
}

/** Waits until nothing but what is always asked is asked for a while. */
async function quiet(played: ChildProcess): Promise<void> {
  let before = -1;
  let sinceMs = performance.now();
  await until(
    "quiet",
    async () => {
      const now = sum((await counted(played)).requests.filter(([kind]) => !OVERHEAD.test(kind)));
      if (now !== before) sinceMs = performance.now();
      before = now;
      await sleep(500);
      return performance.now() - sinceMs > QUIET_MS;
    },
    600_000,
  );
}

async function apply({ url, authority, token }: Ready, numJobs: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY, ca: authority });
  let next = 0;
  const applyNext = async (): Promise<void> => {
    for (let index = next++; index < numJobs; index = next++) {
      const body = { ...SAMPLE, metadata: { name: `job-${index}`, namespace: "default" } };
      await post(`${url}${JOBS}`, JSON.stringify(body), agent, token);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, applyNext));
  agent.destroy();
}

function post(url: string, body: string, agent: Agent, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const sent = request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () =>
        response.statusCode === 201
          ? resolve()
          : reject(new Error(`the API server answered ${response.statusCode}`)),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const rows: Row[] = [];
for (const numJobs of values.jobs.split(",").map(Number)) rows.push(await measure(numJobs));
console.log(
  `\n${table([
    ["jobs", "all made s", "requests a job", "steady requests/s", "MB", "cores while made"],
    ...rows.map((one) => [
      `${one.numJobs}`,
      one.madeSeconds.toFixed(1),
      one.requestsPerJob.toFixed(2),
      one.steadyPerSecond.toFixed(2),
      (one.residentBytes / 1e6).toFixed(0),
      one.cores.toFixed(2),
    ]),
  ]).join("\n")}`,
);
