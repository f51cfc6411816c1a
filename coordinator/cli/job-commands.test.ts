import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { AgentState, AgentStatusSchema } from "../../proto/gen/moestro/v1/fleet_pb.js";
import {
  type ReadLogRequest,
  RunState,
  type RunStatus,
  RunStatusSchema,
  type SubmitRunRequest,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { EXIT_CODES, MoestroError } from "../errors.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { type Identity, issue } from "../rpc/certificates.ts";
import { type Agents, addFleetService } from "../rpc/fleet-service.ts";
import { createGuard } from "../rpc/guard.ts";
import { addRunService, type Runs } from "../rpc/run-service.ts";
import { createRpcServer } from "../rpc/server.ts";
import type { LogChunk } from "../run/follow-logs.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { agentsCommand } from "./agents.ts";
import { checkpointCommand } from "./checkpoint.ts";
import { drainCommand } from "./drain.ts";
import { eventsCommand } from "./events.ts";
import { listCommand } from "./list.ts";
import { publishCoordinator } from "./local-coordinators.ts";
import { logsCommand } from "./logs.ts";
import { STORE_FILE } from "./options.ts";
import { resumeCommand } from "./resume.ts";
import { scaleCommand } from "./scale.ts";
import { statusCommand } from "./status.ts";
import { stopCommand } from "./stop.ts";
import { submitCommand } from "./submit.ts";
import { suspendCommand } from "./suspend.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const JOB = fileURLToPath(new URL("../../examples/quickstart.yaml", import.meta.url));
const NOWHERE = "127.0.0.1:9";
const NOW_MS = Date.now();
const DAY_MS = 86_400_000;

const RUNNING = create(RunStatusSchema, {
  ...{ runId: "r", state: RunState.RUNNING, reason: "all ranks train", owner: "ann", priority: 5 },
  ...{ step: 120n, totalSteps: 400n, loss: 2.5, etaMs: 185_000n, checkpointStep: 100n },
  ...{ generation: 3n, restarts: 2, countedRestarts: 1, maxRestarts: 3, stepsLost: 7n },
  ...{ goodput: 0.981, layout: "edp pp 2 dp 2", numRanks: 4, minRanks: 2, maxRanks: 8 },
  submittedAtMs: BigInt(NOW_MS - 3 * DAY_MS),
  ranks: [0, 1, 2, 3].map((rank) => ({
    ...{ rank, pid: 100 + rank, agentId: rank < 3 ? "node-a" : "node-b" },
  })),
  stages: [
    {
      ...{ stage: 0, numLayers: 6, computeMs: 12.5, communicationMs: 3 },
      peakMemoryBytes: 3n << 29n,
    },
  ],
});
const QUEUED = create(RunStatusSchema, {
  ...{ runId: "waits", state: RunState.QUEUED, reason: "waits for 4 slots" },
  ...{ minRanks: 4, maxRanks: 4 },
});
const FAILED = create(RunStatusSchema, { runId: "over", state: RunState.FAILED, reason: "why" });
const EVENTS = [
  JSON.stringify({
    ...{ time: "2026-01-01T00:00:00.000Z", event: "run.queued", ranks: 4 },
    message: "submitted by \u001b[31mann",
  }),
  "no JSON",
];
const AGENTS = [
  create(AgentStatusSchema, {
    ...{ agentId: "node-a", state: AgentState.CONNECTED, host: "a.example", drained: true },
    ...{ numSlots: 8, numUsedSlots: 3, runIds: ["r"], heardAtMs: BigInt(NOW_MS) },
    inventory: {
      accelerators: Array.from({ length: 8 }, () => ({ name: "NVIDIA H100" })),
      memoryBytes: 64n << 30n,
    },
  }),
  create(AgentStatusSchema, {
    ...{ agentId: "node-b", state: AgentState.LOST, host: "b.example", reason: "nothing heard" },
    ...{ numSlots: 2, numUsedSlots: 1, runIds: ["r"], heardAtMs: BigInt(NOW_MS - 2 * DAY_MS) },
  }),
];

let home: string;
let authority: Identity;
let identity: Identity;
let fleet: Fleet;
let here: Coordinator;

before(async () => {
  home = mkdtempSync(join(tmpdir(), "moestro-home-"));
  process.env.MOESTRO_HOME = home;
  authority = await loadAuthority(home, new Date());
  identity = await issue(authority, { name: "coordinator", hosts: ["127.0.0.1"] }, new Date());
});
beforeEach(async (t) => {
  fleet = new Fleet();
  here = await startCoordinator(fleet);
  (t as TestContext).after(async () => {
    here.withdraw();
    await here.close();
  });
});
after(() => rmSync(home, { recursive: true }));

test("a job is queued with all that was asked; its id alone is on standard output", async (t) => {
  const asked = ["--priority", "-3", "--min", "2", "--max", "8", "--max-restarts", "0"];
  const { out, err } = await moestro(t, "submit", JOB, ...asked, "--run-id", "mine");
  assert.equal(out, "mine\n");
  assert.equal(err, "queued; moestro status mine says how it does\n");
  assert.deepEqual(fleet.heard, ["submit mine by local: -3, 2 to 8 ranks, 0 restarts"]);
});

test("a job's name makes an id where none is asked for, and programs get it as JSON", async (t) => {
  assert.equal((await moestro(t, "submit", JOB, "--json")).out, '{"runId":"quickstart-1"}\n');
  assert.deepEqual(fleet.heard, ["submit quickstart-1 by local: 0, 0 to 0 ranks, no restarts"]);
});

test("a job file with a mistake never reaches a coordinator", async (t) => {
  const path = join(home, "job.yaml");
  writeFileSync(path, "name: x\nmodell: {}\n");
  await assert.rejects(moestro(t, "submit", path), {
    code: "invalid_input",
    message: /job.yaml:2/,
  });
  assert.deepEqual(fleet.heard, []);
});

test("runs are a table for people; those that are over are shown when asked for", async (t) => {
  const { out } = await moestro(t, "list");
  const [heading, first, second, ...rest] = out.trimEnd().split("\n");
  assert.match(heading ?? "", /^run +state +step +loss +ranks +priority +owner +age +why$/);
  assert.match(first ?? "", /^r +running +120\/400 +2\.5000 +4 of 2.8 +5 +ann +3 d 00 h +all r/);
  assert.match(second ?? "", /^waits +queued +0\/0 +. +0 of 4 +0 +. +. +waits for 4 slots$/);
  assert.deepEqual(rest, []);
  assert.match((await moestro(t, "list", "--all")).out, /\nover +failed /);
});

test("runs are an array for programs, with numbers as numbers", async (t) => {
  const runs = JSON.parse((await moestro(t, "list", "--json")).out);
  assert.equal(runs.length, 2);
  const { runId, state, step, loss, validationLoss, ranks, submittedAtMs } = runs[0];
  assert.deepEqual(
    { runId, state, step, loss, validationLoss },
    {
      ...{ runId: "r", state: "running", step: 120, loss: 2.5, validationLoss: null },
    },
  );
  assert.deepEqual(ranks[0], { rank: 0, agentId: "node-a", pid: 100 });
  assert.equal(submittedAtMs, NOW_MS - 3 * DAY_MS);
});

test("where there are no runs a person is told how to get one", async (t) => {
  fleet.statuses.clear();
  assert.match((await moestro(t, "list")).out, /^there are no runs; moestro submit/);
  assert.equal((await moestro(t, "list", "--json")).out, "[]\n");
});

test("a run's status has what a person asks of it", async (t) => {
  const { out } = await moestro(t, "status", "r");
  assert.match(out, /^r: running: all ranks train\n {2}step +120 of 400, ETA 3 min 05 s\n/);
  for (const line of [
    /\n {2}layout +edp pp 2 dp 2\n/,
    /\n {2}ranks +4 of 2.8, 0.2 on node-a, 3 on node-b\n/,
    /\n {2}generation +3\n/,
    /\n {2}restarts +2, of which 1 of at most 3 count, 7 steps trained again\n/,
    /\n {2}goodput +98\.1 %\n/,
    /\n {2}checkpoint +of step 100\n/,
    /\n {2}submitted +3 d 00 h ago by ann, priority 5\n/,
    /\n {2}stage 0 +6 layers, compute 12\.5 ms, communication 3\.00 ms, peak 1\.50 GiB\n/,
  ]) {
    assert.match(out, line);
  }
});

test("without an id the newest run of the service is told of", async (t) => {
  assert.match((await moestro(t, "status")).out, /^r: running/);
});

test("watching ends as the run does: 0, 1 where it failed, 6 where it got nowhere", async (t) => {
  const over = (state: RunState, reason: string, exitCode = 0) =>
    fleet.statuses.set("r", create(RunStatusSchema, { runId: "r", state, reason, exitCode }));
  over(RunState.SUCCEEDED, "trained 400 steps");
  assert.equal((await moestro(t, "status", "r", "--watch")).exitCode, 0);
  over(RunState.STOPPED, "stopped, as asked");
  assert.equal((await moestro(t, "status", "r", "--watch")).exitCode, 0);
  over(RunState.FAILED, "rank 1 was ended by SIGKILL; 3 restarts did not help");
  const { out, exitCode } = await moestro(t, "submit", JOB, "--run-id", "r", "--watch");
  assert.match(out, /^r\nr: failed \(rank 1 .*\): step 0\/0, checkpoint 0\n$/);
  assert.equal(exitCode, 1);
  over(RunState.FAILED, "no progress in 3 starts", EXIT_CODES.stuck);
  assert.equal((await moestro(t, "status", "r", "--watch", "--json")).exitCode, 6);
});

test("what is asked of a run reaches its coordinator", async (t) => {
  for (const [words, heard, said] of [
    ["stop r", "stop r with a checkpoint", "run r is stopping after a checkpoint"],
    ["cancel r --now", "stop r", "run r is stopping"],
    ["suspend r", "suspend r", "run r is being suspended; moestro resume r queues it again"],
    ["resume r", "resume r", "run r is queued again"],
    ["checkpoint r", "save r", "run r writes a checkpoint; moestro events r tells when"],
    ["checkpoint now r", "save r", "run r writes a checkpoint"],
    ["scale r --min 1 --max 16", "scale r 1 16", "run r may have 1 to 16 ranks from now on"],
    ["scale r --max 4", "scale r 2 4", "run r may have 2 to 4 ranks from now on"],
    ["scale r --min 8", "scale r 8 8", "run r may have 8 ranks from now on"],
    ["drain node-a", "drain node-a", "agent node-a takes no more ranks"],
    ["drain node-a --undo", "undrain node-a", "agent node-a takes ranks again"],
  ] as const) {
    const { out } = await moestro(t, ...words.split(" "));
    assert.ok(out.startsWith(said), `${words}: ${out}`);
    assert.deepEqual(fleet.heard.splice(0), [heard], words);
  }
  const { out } = await moestro(t, "suspend", "r", "--json");
  assert.deepEqual(JSON.parse(out), { runId: "r", asked: "suspend" });
});

test("which run of a service is to be stopped must be said, and how a run is to be scaled", async (t) => {
  const on = ["--coordinator", here.address];
  await assert.rejects(moestro(t, "stop", ...on), { message: /give the id/ });
  await assert.rejects(moestro(t, "scale", "r"), { message: /--min, --max: give at least one/ });
  await assert.rejects(moestro(t, "checkpoint", "r", "s"), { message: /^s: one run at a time/ });
  assert.deepEqual(fleet.heard, []);
});

test("events are lines for people, and whole for programs", async (t) => {
  const { out } = await moestro(t, "events", "r");
  const line = "2026-01-01T00:00:00.000Z run.queued: submitted by ann";
  assert.equal(out, `${line}\nno JSON\n`);
  assert.equal((await moestro(t, "events", "r", "--json")).out, `${fleet.lines.join("\n")}\n`);
});

test("logs are of one rank or of all, of the newest start unless another is asked for", async () => {
  const at = ["--coordinator", here.address];
  const all = start("logs", "r", ...at);
  assert.equal((await all.ended).out, "rank 0 | a\nrank 1 | a\nrank 0 | b\n");
  const one = start("logs", "r", "--rank", "1", "--generation", "2", ...at);
  assert.equal((await one.ended).out, "plain bytes\n");
  assert.deepEqual(fleet.heard, ["log r -1 of 0", "log r 1 of 2"]);
});

test("agents are a table for people and an array for programs", async (t) => {
  const { out } = await moestro(t, "agents");
  const [heading, first, second] = out.split("\n");
  assert.match(heading ?? "", /^agent +state +host +slots +GPUs +memory +heard +runs +why$/);
  assert.match(
    first ?? "",
    /^node-a +connected, drained +a\.example +3\/8 +8 . NVIDIA H100 +64\.0 GiB +now +r$/,
  );
  assert.match(second ?? "", /^node-b +lost +b\.example +1\/2 +. +. +2 d 00 h ago +r +nothing h/);
  const agents = JSON.parse((await moestro(t, "agents", "--json")).out);
  assert.equal(agents[0].inventory.accelerators.length, 8);
  assert.deepEqual([agents[1].state, agents[1].numSlots, agents[1].inventory], ["lost", 2, null]);
});

test("a run under moestro train here is asked itself, before any service", async (t) => {
  const runs = join(home, "runs");
  const train = new Fleet();
  const own = await startCoordinator(train);
  t.after(() => rmSync(runs, { recursive: true }));
  mkdirSync(join(runs, "r"), { recursive: true });
  writeFileSync(join(runs, "r", "endpoint.json"), JSON.stringify({ address: own.address }));
  const at = ["--runs-dir", runs];
  await moestro(t, "stop", ...at);
  await moestro(t, "checkpoint", "r", ...at);
  assert.deepEqual(train.heard, ["stop r with a checkpoint", "save r"]);
  await moestro(t, "suspend", "r", "--coordinator", here.address);
  assert.deepEqual(fleet.heard, ["suspend r"]);
  await own.close();
  for (const words of ["status r", "stop r", "events r"]) {
    await assert.rejects(moestro(t, ...words.split(" "), ...at), {
      code: "run_failed",
      message: "run r is not running; continue it with: moestro train job.yaml --resume r",
    });
  }
});

test("a run that ended under moestro train here is told of when no coordinator knows it", async (t) => {
  const runs = join(home, "runs");
  t.after(() => rmSync(runs, { recursive: true }));
  mkdirSync(join(runs, "old"), { recursive: true });
  const summary = { status: "succeeded", steps: 16, reason: "trained 16 steps" };
  writeFileSync(join(runs, "old", "summary.json"), JSON.stringify(summary));
  mkdirSync(join(runs, "of-a-service"));
  await rememberTrained(runs, "old");
  const at = ["--runs-dir", runs];
  const told = "old: succeeded at step 16: trained 16 steps\n";
  assert.equal((await moestro(t, "status", "old", ...at)).out, told);
  here.withdraw();
  assert.equal((await moestro(t, "status", "old", ...at, "--watch")).exitCode, 0);
  await assert.rejects(moestro(t, "suspend", "old", ...at), { message: /^run old is not running/ });
  // Nobody may take it for one that has ended: its ranks go on.
  await assert.rejects(moestro(t, "status", "of-a-service", ...at), { code: "environment" });
  await assert.rejects(moestro(t, "stop", "of-a-service", ...at), { code: "environment" });
  await assert.rejects(moestro(t, "status", "other", ...at), {
    code: "not_found",
    message: /\/other: there is no such run; no coordinator is known here/,
  });
});

test("no such run, and no coordinator that answers, are one line each", async (t) => {
  await assert.rejects(moestro(t, "status", "none"), {
    exitCode: 2,
    message: `${here.address}: there is no run none`,
  });
  const away = ["--coordinator", NOWHERE];
  for (const words of ["list", "status r", "agents", "events r", "logs r", `submit ${JOB}`]) {
    await assert.rejects(moestro(t, ...words.split(" "), ...away), (error: MoestroError) => {
      assert.equal(error.exitCode, 4);
      assert.equal(error.lines.length, 1);
      assert.match(error.message, /^127\.0\.0\.1:9: no coordinator answers there/);
      return true;
    });
  }
});

test("what follows a run goes on with another coordinator, and repeats nothing", async (t) => {
  const other = await startCoordinator(fleet);
  t.after(() => other.close());
  const both = ["--coordinator", `${here.address},${other.address}`];
  const following = moestro(t, "events", "r", "--follow", "--json", ...both);
  await until(() => fleet.numFollowers === 1);
  await here.close();
  await until(() => fleet.numFollowers === 1);
  fleet.lines.push('{"event":"run.succeeded"}');
  fleet.isOver = true;
  const { out, err } = await following;
  assert.equal(out, `${fleet.lines.join("\n")}\n`);
  assert.match(err, /; looking for a coordinator\n$/);
});

test("who follows a rank's log is told where its next generation begins, with another coordinator too", async (t) => {
  const other = await startCoordinator(fleet);
  t.after(() => other.close());
  const both = ["--coordinator", `${here.address},${other.address}`];
  const following = start("logs", "r", "--rank", "0", "--follow", ...both);
  await until(() => fleet.numFollowers === 1);
  await here.close();
  await until(() => fleet.numFollowers === 1);
  fleet.isOver = true;
  const { out, err } = await following.ended;
  assert.equal(out, "of 3\nof 4\nthe end\n");
  assert.match(err, /^--- generation 4\n.*; looking for a coordinator\n$/);
  assert.deepEqual(fleet.heard, ["log r 0 of 0", "log r 0 of 4"]);
});

test("Ctrl-C leaves what follows a run quietly, with 130", async () => {
  const child = start("events", "r", "--follow", "--coordinator", here.address);
  await until(() => fleet.numFollowers === 1);
  child.process.kill("SIGINT");
  const { exitCode, err } = await child.ended;
  assert.deepEqual({ exitCode, err }, { exitCode: 130, err: "" });
  await until(() => fleet.numFollowers === 0);
});

test("a reader that goes away ends what follows a run quietly", async () => {
  const child = start("events", "r", "--follow", "--coordinator", here.address);
  await until(() => fleet.numFollowers === 1);
  child.process.stdout.destroy();
  fleet.lines.push("{}", "{}");
  const { exitCode, err } = await child.ended;
  assert.deepEqual({ exitCode, err }, { exitCode: 0, err: "" });
});

/** Runs a command in this process: what it printed, and its exit code. */
async function moestro(t: TestContext, ...args: string[]) {
  let out = "";
  let err = "";
  const mocks = [
    t.mock.method(console, "log", (line: string) => {
      out += `${line}\n`;
    }),
    t.mock.method(console, "error", (line: string) => {
      err += `${line}\n`;
    }),
  ];
  const root = new Command().exitOverride();
  for (const make of [
    ...[submitCommand, listCommand, statusCommand, logsCommand, eventsCommand, stopCommand],
    ...[suspendCommand, resumeCommand, scaleCommand, checkpointCommand],
    ...[agentsCommand, drainCommand],
  ]) {
    root.addCommand(make().exitOverride());
  }
  try {
    await root.parseAsync(args, { from: "user" });
    return { out, err, exitCode: process.exitCode ?? 0 };
  } finally {
    process.exitCode = undefined;
    for (const mock of mocks) mock.mock.restore();
  }
}

/** Runs it in a process of its own. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args]);
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const ended = new Promise<{ exitCode: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (exitCode) => resolve({ exitCode, out, err })),
  );
  return { process: child, ended };
}

/** Leaves what `moestro train` does of a run it has begun. */
async function rememberTrained(runs: string, runId: string): Promise<void> {
  const store = openSqliteStore(join(runs, STORE_FILE));
  const spec = { name: runId, owner: "", priority: 0, submittedAtMs: 0, job: {}, maxRestarts: 0 };
  await store.create(runId, spec, { phase: "run", minRanks: 1, maxRanks: 1, checkpoints: 0 });
  await store.close();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

type Coordinator = Awaited<ReturnType<typeof startCoordinator>>;

async function startCoordinator(what: Fleet) {
  const guard = createGuard({ ownerOf: async () => undefined });
  const rpc = createRpcServer(authority, identity, guard);
  addRunService(rpc.server, what);
  addFleetService(rpc.server, what.agents);
  const address = `127.0.0.1:${await rpc.listen("127.0.0.1", 0)}`;
  rpc.setServing(true);
  return { address, withdraw: publishCoordinator(address), close: () => rpc.close() };
}

/** Runs and agents that are what a test makes them, and write down what they are asked. */
class Fleet implements Runs {
  readonly heard: string[] = [];
  readonly statuses = new Map([RUNNING, QUEUED, FAILED].map((run) => [run.runId, run]));
  readonly lines = [...EVENTS];
  /** Those that follow events now. */
  numFollowers = 0;
  isOver = false;
  readonly agents: Agents = {
    list: async () => AGENTS,
    drain: async (id, drained) => void this.heard.push(`${drained ? "drain" : "undrain"} ${id}`),
  };

  async status(runId: string): Promise<RunStatus> {
    const status = this.statuses.get(runId);
    if (status) return status;
    throw new MoestroError("not_found", `there is no run ${runId}`);
  }

  async list(): Promise<RunStatus[]> {
    return [...this.statuses.values()];
  }

  async submit(request: SubmitRunRequest, owner: string): Promise<string> {
    const { name } = JSON.parse(request.jobJson) as { name: string };
    assert.match(request.jobText, /^#/);
    const runId = request.runId || `${name}-1`;
    const { priority, minRanks, maxRanks, maxRestarts = "no" } = request;
    const asked = `${priority}, ${minRanks} to ${maxRanks} ranks, ${maxRestarts} restarts`;
    this.heard.push(`submit ${runId} by ${owner}: ${asked}`);
    return runId;
  }

  async stop(runId: string, checkpoint: boolean): Promise<void> {
    this.heard.push(`stop ${runId}${checkpoint ? " with a checkpoint" : ""}`);
  }

  async suspend(runId: string): Promise<void> {
    this.heard.push(`suspend ${runId}`);
  }

  async resume(runId: string): Promise<void> {
    this.heard.push(`resume ${runId}`);
  }

  async scale(runId: string, minRanks: number, maxRanks: number): Promise<void> {
    this.heard.push(`scale ${runId} ${minRanks} ${maxRanks}`);
  }

  async saveCheckpoint(runId: string): Promise<void> {
    this.heard.push(`save ${runId}`);
  }

  async *events(_runId: string, follow: boolean, signal: AbortSignal): AsyncIterable<string> {
    let next = 0;
    for (; next < this.lines.length; next += 1) yield this.lines[next] ?? "";
    if (!follow) return;
    this.numFollowers += 1;
    while (!signal.aborted && !this.isOver) {
      await sleep(10);
      for (; next < this.lines.length; next += 1) yield this.lines[next] ?? "";
    }
    this.numFollowers -= 1;
  }

  async *log(
    { runId, rank, generation, follow }: ReadLogRequest,
    signal: AbortSignal,
  ): AsyncIterable<LogChunk> {
    this.heard.push(`log ${runId} ${rank} of ${generation}`);
    const chunks = rank < 0 ? ["rank 0 | a\nrank 1", " | a\nrank 0 | b\n"] : ["plain ", "bytes\n"];
    const of = Number(generation) || 3;
    if (follow) {
      yield* this.#followed(of, signal);
      return;
    }
    for (const chunk of chunks) yield { generation: of, chunk: Buffer.from(chunk) };
  }

  /** Of a run that is in its fourth generation. */
  async *#followed(from: number, signal: AbortSignal): AsyncIterable<LogChunk> {
    for (let generation = from; generation <= 4; generation += 1) {
      yield { generation, chunk: Buffer.from(`of ${generation}\n`) };
    }
    this.numFollowers += 1;
    while (!signal.aborted && !this.isOver) await sleep(10);
    this.numFollowers -= 1;
    yield { generation: 4, chunk: Buffer.from("the end\n") };
  }
}
