import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { notLeading } from "../../coordinator/rpc/not-leading.ts";
import { holderOf } from "../../coordinator/store/holder.ts";
import {
  AcknowledgedSchema,
  DumpStacksSchema,
  GoodbyeSchema,
  KillRanksSchema,
  ProbeSchema,
  type StartRanks,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { RendezvousSchema, StopRequestSchema } from "../../proto/gen/moestro/v1/rank_pb.js";
import { numStepsOf } from "../../proto/merge-reports.ts";
import { childrenOf, NO_RUN, Place, TestCoordinator, until } from "./testing.ts";

const ENDLESS = 1_000_000;
const kill = { case: "kill", value: create(KillRanksSchema, { graceMs: 0n }) } as const;
const goodbye = { case: "goodbye", value: create(GoodbyeSchema) } as const;

let place: Place;
let coordinator: TestCoordinator;

before(async () => {
  place = new Place();
  coordinator = await TestCoordinator.start(place.directory, 5n);
});
after(async () => {
  coordinator.close();
  await place.remove();
});

const isAlive = (pid: number) => holderOf(pid) !== undefined;
const run = (runId: string, generation = 1n) => ({ runId, generation });

/** Starts two ranks and waits for their first step; returns their processes. */
async function startRanks(runId: string, start: StartRanks, generation = 1n): Promise<number[]> {
  const from = coordinator.received.length;
  const fence = run(runId, generation);
  coordinator.send(fence, { case: "start", value: start });
  const value = await until(() => coordinator.all("rendezvous", runId, from)[0]);
  coordinator.send(fence, { case: "rendezvous", value: create(RendezvousSchema, value) });
  await until(() => coordinator.all("step", runId, from).length > 0);
  return coordinator.all("rankStarted", runId, from).map(({ pid }) => pid);
}

/** Waits for the agent to come again; returns its hello and where the messages behind it begin. */
async function nextHello(from: number) {
  const at = await until(() => {
    const index = coordinator.received.findIndex(
      ({ message }, place) => place >= from && message.case === "hello",
    );
    return index >= 0 ? { index } : undefined;
  });
  const { message } = coordinator.received[at.index] ?? {};
  assert.equal(message?.case, "hello");
  return { hello: message.value, behind: at.index + 1 };
}

test("an agent tells what its node has, and answers its peers", async () => {
  const agent = await place.agent("peer", [coordinator.address]);
  const hello = await until(() =>
    coordinator.all("hello").find(({ agentId }) => agentId === "peer"),
  );
  assert.equal(hello.pid, agent.pid);
  assert.equal(hello.address, "127.0.0.1");
  assert.match(hello.incarnation, /^[0-9a-f]{16}$/);
  assert.ok(Number(hello.inventory?.numCpus) > 0);
  assert.ok(Number(hello.inventory?.memoryBytes) > 1e8);
  const ask = (agentId: string, port: number) =>
    coordinator.send(NO_RUN, {
      case: "probe",
      value: create(ProbeSchema, { agentId, address: "127.0.0.1", port, timeoutMs: 1000n }),
    });
  ask("peer", hello.probePort);
  ask("somebody", hello.probePort);
  ask("nobody", 1);
  const results = await until(() => {
    const probed = coordinator.all("probed");
    return probed.length === 3 ? probed : undefined;
  });
  const of = (id: string) => results.find(({ agentId }) => agentId === id);
  assert.equal(of("peer")?.answered, true);
  assert.match(of("somebody")?.why ?? "", /another answers there: peer/);
  assert.match(of("nobody")?.why ?? "", /ECONNREFUSED/);
  agent.child.kill("SIGTERM");
  assert.equal(await agent.ended, 130);
});

test("an agent that is refused and has no ranks ends with that one line", async () => {
  const refusing = await TestCoordinator.start(place.directory, 5n);
  refusing.refusal = { code: status.ALREADY_EXISTS, details: "agent twin is connected already" };
  const agent = await place.agent("twin", [refusing.address]);
  assert.equal(await agent.ended, 1);
  assert.match(agent.stderr(), /^moestro agent twin: .*agent twin is connected already.*\n$/);
  refusing.close();
});

test("an agent goes to the coordinator that leads, and leaves one that is stopped", async () => {
  const standing = await TestCoordinator.start(place.directory, 1n);
  const script = join(import.meta.dirname, "stopped-coordinator-fixture.ts");
  const stopped = spawn(process.execPath, [script, place.directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface(stopped.stdout)[Symbol.asyncIterator]();
  const address = (await lines.next()).value as string;
  standing.refusal = {
    code: status.UNAVAILABLE,
    details: notLeading(address),
  };
  const agent = await place.agent("rover", [standing.address]);
  assert.equal((await lines.next()).value, "hello");
  stopped.kill("SIGSTOP");
  standing.refusal = undefined;
  await until(() => standing.all("hello").length > 0);
  assert.match(agent.stderr(), /nothing heard for/);
  stopped.kill("SIGKILL");
  agent.child.kill("SIGKILL");
  standing.close();
});

test("an agent that has seen a later epoch leaves the coordinator of an older one", async () => {
  const older = await TestCoordinator.start(place.directory, 4n);
  const from = coordinator.received.length;
  const agent = await place.agent("wise", [coordinator.address, older.address]);
  const { behind } = await nextHello(from);
  await until(() => /connected/.test(agent.stderr()));
  coordinator.cut();
  await nextHello(behind);
  assert.match(agent.stderr(), /it is of epoch 4, and epoch 5 has begun/);
  agent.child.kill("SIGKILL");
  older.close();
});

test("an agent that is asked to end has its ranks go elsewhere first; at once if asked again, or when its time is over", async () => {
  const agent = await place.agent("l", [coordinator.address]);
  await until(() => coordinator.all("hello").some(({ agentId }) => agentId === "l"));
  const [pid = 0] = await startRanks("l", await place.start("l", ENDLESS));
  agent.child.kill("SIGTERM");
  const { reason } = await until(() => coordinator.all("leaving")[0]);
  assert.equal(reason, "asked to end (SIGTERM)");
  // A coordinator that comes meanwhile is told too.
  coordinator.cut();
  await until(() => coordinator.all("leaving").length === 2 || undefined);
  assert.ok(isAlive(pid));
  coordinator.send(run("l"), kill);
  await until(() => coordinator.all("rankExited", "l").length === 2 || undefined);
  coordinator.send(run("l"), goodbye);
  assert.equal(await agent.ended, 130);

  const hasty = await place.agent("h", [coordinator.address]);
  await until(() => coordinator.all("hello").some(({ agentId }) => agentId === "h"));
  const [other = 0] = await startRanks("h", await place.start("h", ENDLESS));
  hasty.child.kill("SIGINT");
  await until(() => coordinator.all("leaving").length === 3 || undefined);
  hasty.child.kill("SIGINT");
  assert.equal(await hasty.ended, 130);
  assert.equal(isAlive(other), false);

  const patient = await place.agent("p", [coordinator.address], "--leave-seconds", "0");
  await until(() => coordinator.all("hello").some(({ agentId }) => agentId === "p"));
  const [third = 0] = await startRanks("p", await place.start("p", ENDLESS));
  patient.child.kill("SIGTERM");
  // Nobody has the ranks go anywhere in the time that was given for it.
  assert.equal(await patient.ended, 130);
  assert.equal(isAlive(third), false);
});

test("ranks outlive connections and generations give way, in one agent's life", async (t) => {
  const agent = await place.agent("a", [coordinator.address]);
  await until(() => coordinator.all("hello").some(({ agentId }) => agentId === "a"));
  const start = await place.start("r", ENDLESS);
  let pids: number[] = [];

  await t.test("ranks start and report; their logs lie where they should", async () => {
    pids = await startRanks("r", start);
    assert.equal(new Set(pids).size, 2);
    assert.deepEqual(
      coordinator
        .all("rankReady", "r")
        .map(({ rank }) => rank)
        .sort(),
      [0, 1],
    );
    const [report] = coordinator.all("step", "r");
    assert.deepEqual([report?.step, report?.numRanks], [1n, 2]);
    assert.equal(report?.stages[1]?.slowestRank, 1);
    assert.deepEqual(readdirSync(place.path("logs", "r")).sort(), ["rank-0.log", "rank-1.log"]);
  });

  await t.test("after a cut the agent tells all facts, and what was not acknowledged", async () => {
    await until(() => coordinator.all("step", "r").length >= 10);
    const value = create(AcknowledgedSchema, { step: 6n, checkpointStep: 0n });
    coordinator.send(run("r"), { case: "acknowledged", value });
    const known = coordinator.all("step", "r").length;
    await until(() => coordinator.all("step", "r").length > known + 2);
    const from = coordinator.received.length;
    coordinator.cut();
    const { hello, behind } = await nextHello(from);
    const [group] = hello.groups;
    assert.deepEqual([group?.fence?.runId, group?.fence?.generation], ["r", 1n]);
    assert.deepEqual(
      group?.started.map(({ pid }) => pid),
      pids,
    );
    assert.equal(group?.ready.length, 2);
    assert.equal(group?.rendezvous?.host, "127.0.0.1");
    assert.ok(group?.data);
    assert.deepEqual(group?.exits, []);
    const again = await until(() => {
      const steps = coordinator.all("step", "r", behind);
      return steps.length > 20 ? steps.map(({ step }) => Number(step)) : undefined;
    });
    assert.deepEqual(
      again,
      Array.from(again, (_, index) => 7 + index),
    );
    const shards = coordinator.all("checkpoint", "r", behind).map(({ step }) => step);
    assert.equal(shards[0], 5n, "of a checkpoint that is not committed, too");
    assert.ok(pids.every(isAlive));
  });

  await t.test("a start that comes again changes nothing", async () => {
    coordinator.send(run("r"), { case: "start", value: start });
    const steps = coordinator.all("step", "r").length;
    await until(() => coordinator.all("step", "r").length > steps + 5);
    assert.ok(pids.every(isAlive));
    assert.equal(coordinator.all("rankStarted", "r").length, 2);
  });

  await t.test("stacks of ranks at work come out, and of a stopped one why not", async () => {
    const [first = 0, second = 0] = pids;
    process.kill(second, "SIGSTOP");
    coordinator.send(run("r"), { case: "dumpStacks", value: create(DumpStacksSchema) });
    const stacks = await until(() => {
      const dumped = coordinator.all("stack", "r");
      return dumped.length === 2 ? dumped : undefined;
    });
    const linesOf = (rank: number) => stacks.find((one) => one.rank === rank)?.lines ?? [];
    assert.ok(linesOf(0).some((line) => /loop\.py", line \d+ in _train/.test(line)));
    assert.equal(linesOf(1).length, 1);
    assert.match(linesOf(1)[0] ?? "", /no stacks within .* T \(stopped\)/);
    process.kill(second, "SIGCONT");
    const steps = coordinator.all("step", "r").length;
    await until(() => coordinator.all("step", "r").length > steps + 5);
    assert.ok(isAlive(first), "to be asked for its stacks does a rank no harm");
  });

  await t.test("a second run goes beside the first, ends by itself, and is forgotten", async () => {
    await startRanks("s", await place.start("s", ENDLESS));
    const value = create(StopRequestSchema, { checkpoint: true });
    coordinator.send(run("s"), { case: "stop", value });
    const exits = await until(() => {
      const ended = coordinator.all("rankExited", "s");
      return ended.length === 2 ? ended : undefined;
    });
    assert.ok(exits.every(({ exitCode, finished }) => exitCode === 0 && finished?.stoppedEarly));
    const last = exits[0]?.finished?.lastStep;
    const order = coordinator.received
      .filter(({ fence }) => fence?.runId === "s")
      .map(({ message }) => message.case);
    assert.equal(order.at(-1), "rankExited");
    assert.equal(coordinator.all("checkpoint", "s").at(-1)?.step, last);
    assert.equal(coordinator.all("step", "s").at(-1)?.step, last);
    assert.ok(pids.every(isAlive));
    coordinator.send(run("s"), goodbye);
    const from = coordinator.received.length;
    coordinator.cut();
    const { hello } = await nextHello(from);
    assert.deepEqual(
      hello.groups.map(({ fence }) => fence?.runId),
      ["r"],
    );
  });

  await t.test("a run that ends unheard tells its reports first, and its exits last", async () => {
    await startRanks("u", await place.start("u", ENDLESS));
    coordinator.refusal = { code: status.UNAVAILABLE, details: notLeading(undefined) };
    const from = coordinator.received.length;
    coordinator.cut();
    for (const { pid } of coordinator.all("rankStarted", "u")) process.kill(pid, "SIGKILL");
    await until(() => coordinator.all("rankStarted", "u").every(({ pid }) => !isAlive(pid)));
    await sleep(300);
    coordinator.refusal = undefined;
    const { hello, behind } = await nextHello(from);
    const group = hello.groups.find(({ fence }) => fence?.runId === "u");
    assert.deepEqual(group?.exits, [], "while reports wait");
    await until(() => coordinator.all("rankExited", "u", behind).length === 2);
    const kinds = coordinator.received
      .slice(behind)
      .filter(({ fence }) => fence?.runId === "u")
      .map(({ message }) => message.case);
    assert.equal(kinds.indexOf("rankExited"), kinds.lastIndexOf("step") + 1);
    assert.ok(coordinator.all("rankExited", "u").every(({ signal }) => signal === "SIGKILL"));
    const steps = coordinator.all("step", "u", behind);
    assert.equal(
      steps.map(numStepsOf).reduce((a, b) => a + b),
      Number(steps.at(-1)?.step),
    );
    coordinator.send(run("u"), goodbye);
  });

  await t.test("a later generation kills the earlier one, which cannot come back", async () => {
    const later = await startRanks("r", start, 2n);
    assert.ok(pids.every((pid) => !isAlive(pid)));
    coordinator.send(run("r", 1n), { case: "start", value: start });
    coordinator.send(run("r", 1n), kill);
    const steps = coordinator.all("step", "r").length;
    await until(() => coordinator.all("step", "r").length > steps + 5);
    assert.ok(later.every(isAlive));
    coordinator.send(run("r", 2n), kill);
    await until(() => later.every((pid) => !isAlive(pid)));
    // Two a generation, and two that the stale start would have been.
    await until(() => coordinator.all("rankExited", "r").length === 6);
    const refused = coordinator
      .all("rankExited", "r")
      .filter(({ failure }) => failure !== undefined);
    assert.match(refused[0]?.failure?.message ?? "", /^not started: generation 2 was started here/);
    coordinator.send(run("r", 2n), goodbye);
  });

  await t.test("ranks that cannot be started have ended, and the agent goes on", async () => {
    const bad = await place.start("bad", ENDLESS);
    bad.logDirectory = place.path("r.yaml", "logs");
    coordinator.send(run("bad"), { case: "start", value: bad });
    const exits = await until(() => {
      const ended = coordinator.all("rankExited", "bad");
      return ended.length === 2 ? ended : undefined;
    });
    assert.match(exits[0]?.failure?.message ?? "", /^cannot start ranks: ENOTDIR/);
    coordinator.send(run("bad"), goodbye);
  });

  await t.test("ranks end with an agent that is killed", async () => {
    const last = await startRanks("r", start, 3n);
    agent.child.kill("SIGKILL");
    await until(() => last.every((pid) => !isAlive(pid)));
  });
});

test("ranks are forked from a process that has imported all, and write where ranks should", async () => {
  const from = coordinator.received.length;
  const agent = await place.agent("ready", [coordinator.address]);
  await nextHello(from);
  await until(() => agent.stderr().includes("ready to start ranks"));
  const [server, ...more] = childrenOf(agent.pid);
  assert.deepEqual(more, []);
  const pids = await startRanks("quick", await place.start("quick", ENDLESS));
  const ranks = childrenOf(server?.pid ?? 0).map(({ pid }) => pid);
  assert.deepEqual(pids.sort(), ranks.sort());
  const log = place.path("logs", "quick", "rank-0.log");
  assert.ok(pids.every((pid) => readlinkSync(`/proc/${pid}/fd/2`).startsWith(place.path("logs"))));
  assert.ok(pids.some((pid) => readlinkSync(`/proc/${pid}/fd/1`) === log));
  agent.child.kill("SIGKILL");
  await until(() => [...pids, server?.pid ?? 0].every((pid) => !isAlive(pid)));
});
