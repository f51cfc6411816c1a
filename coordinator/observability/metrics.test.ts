import assert from "node:assert/strict";
import test from "node:test";
import { Metrics } from "./metrics.ts";
import type { ServiceState } from "./telemetry.ts";

const STATE: ServiceState = {
  ...{ leads: true, epoch: 7, storeReachable: true },
  agents: [
    { agentId: "a", state: "connected", silentMs: 250 },
    { agentId: "b", state: "lost", silentMs: 6500 },
  ],
  runs: [
    { runId: "one", state: "running", goodput: 0.93 },
    { runId: "two", state: "queued" },
  ],
};

/** The samples by name with labels; of those with the prefix. */
async function samples(metrics: Metrics, prefix = "moestro_"): Promise<Record<string, number>> {
  const lines = (await metrics.render()).split("\n").filter((line) => line.startsWith(prefix));
  return Object.fromEntries(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

test("how the coordinator stands is what it says when somebody looks", async () => {
  const metrics = new Metrics();
  let looks = 0;
  metrics.observe(() => {
    looks += 1;
    return STATE;
  });
  const found = await samples(metrics);
  assert.equal(looks, 1, "one look for all gauges");
  assert.equal(found.moestro_leader, 1);
  assert.equal(found.moestro_leader_epoch, 7);
  assert.equal(found.moestro_store_up, 1);
  assert.equal(found['moestro_agents{state="connected"}'], 1);
  assert.equal(found['moestro_agents{state="silent"}'], 0);
  assert.equal(found['moestro_agents{state="lost"}'], 1);
  assert.equal(found['moestro_agent_heartbeat_age_seconds{agent="b"}'], 6.5);
  assert.equal(found.moestro_agent_heartbeat_age_max_seconds, 6.5);
  assert.equal(found['moestro_runs{state="running"}'], 1);
  assert.equal(found.moestro_queue_length, 1);
  assert.equal(found['moestro_run_goodput_ratio{run="one"}'], 0.93);
});

test("a run that is over and an agent that is gone leave no series behind", async () => {
  const metrics = new Metrics();
  let state = STATE;
  metrics.observe(() => state);
  await samples(metrics);
  state = { ...STATE, agents: [], runs: [] };
  const found = await samples(metrics);
  assert.equal(found['moestro_run_goodput_ratio{run="one"}'], undefined);
  assert.equal(found['moestro_agent_heartbeat_age_seconds{agent="a"}'], undefined);
  assert.equal(found.moestro_agent_heartbeat_age_max_seconds, 0);
  assert.equal(found['moestro_agents{state="connected"}'], 0);
});

test("at most 1,000 agents have a heartbeat series, the same ones every time", async () => {
  const metrics = new Metrics();
  const agents = Array.from({ length: 4000 }, (_, i) => ({
    ...({
      agentId: `node-${String(i).padStart(4, "0")}`,
      state: "connected",
      silentMs: i,
    } as const),
  }));
  metrics.observe(() => ({ ...STATE, agents: agents.toReversed() }));
  const found = await samples(metrics, "moestro_agent_heartbeat_age_seconds{");
  assert.equal(Object.keys(found).length, 1000);
  assert.ok('moestro_agent_heartbeat_age_seconds{agent="node-0999"}' in found);
  assert.equal((await samples(metrics)).moestro_agent_heartbeat_age_max_seconds, 3.999);
});

test("what happens is counted: restarts by cause, recoveries by stage, waits and latencies", async () => {
  const metrics = new Metrics();
  const restarts = 'moestro_restarts_total{cause="rank",counted="true"}';
  assert.equal((await samples(metrics))[restarts], 0, "a series before the first restart");
  metrics.restarted("rank", true);
  metrics.restartedFalsely();
  metrics.recovered({
    detect: 0.2,
    fence: 0.3,
    plan: 0,
    start: 0.4,
    rendezvous: 0.1,
    load: 1.5,
    firstStep: 0.3,
  });
  metrics.lostSteps(12);
  metrics.queueWaited(90_000);
  metrics.stepReported();
  metrics.controlled(8);
  const found = await samples(metrics);
  assert.equal(found[restarts], 1);
  assert.equal(found.moestro_false_restarts_total, 1);
  assert.equal(found['moestro_recovery_stage_seconds_sum{stage="load"}'], 1.5);
  assert.equal(found['moestro_recovery_stage_seconds_count{stage="firstStep"}'], 1);
  assert.equal(found.moestro_steps_lost_total, 12);
  assert.equal(found.moestro_queue_wait_seconds_sum, 90);
  assert.equal(found.moestro_step_reports_total, 1);
  assert.equal(found['moestro_control_latency_seconds_bucket{le="0.01"}'], 1);
});

test("a blocked event loop is seen in its lag, once", async () => {
  const metrics = new Metrics();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const until = performance.now() + 200;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const lag = (await samples(metrics)).moestro_event_loop_lag_max_seconds ?? 0;
  assert.ok(lag > 0.1, `${lag}`);
  const after = (await samples(metrics)).moestro_event_loop_lag_max_seconds ?? 1;
  assert.ok(after < lag);
});

test("two coordinators in one process have metrics of their own", async () => {
  const [one, other] = [new Metrics(), new Metrics()];
  one.lostSteps(1);
  assert.equal((await samples(other)).moestro_steps_lost_total, 0);
});
