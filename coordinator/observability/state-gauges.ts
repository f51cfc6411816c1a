import { Gauge, type Registry } from "prom-client";
import type { RunState } from "../run/run-state.ts";
import type { AgentCondition, ServiceState } from "./telemetry.ts";

/** Agents with a heartbeat series of their own; the largest age covers the others. */
const MAX_AGENT_SERIES = 1000;
const AGENT_CONDITIONS: readonly AgentCondition[] = ["connected", "silent", "lost"];
/** Of runs that are not over. */
const RUN_STATES: readonly RunState[] = [
  ...(["queued", "starting", "running", "recovering"] as const),
  ...(["suspending", "suspended", "stopping"] as const),
];

/** Gauges that are made anew from the coordinator's state whenever they are read. */
export function addStateGauges(registry: Registry, state: () => ServiceState | undefined): void {
  const look = oncePerTurn(state);
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (gauge: Gauge<Label>, state: ServiceState) => void,
  ) =>
    new Gauge({
      ...{ name, help, labelNames, registers: [registry] },
      collect() {
        this.reset();
        const now = look();
        if (now) fill(this, now);
      },
    });

  gauge("moestro_leader", "1 while this coordinator leads.", [], (g, { leads }) =>
    g.set(leads ? 1 : 0),
  );
  gauge("moestro_leader_epoch", "Epoch of this coordinator's lease.", [], (g, { epoch }) =>
    g.set(epoch),
  );
  gauge("moestro_store_up", "1 while the store can be reached.", [], (g, { storeReachable }) =>
    g.set(storeReachable ? 1 : 0),
  );
  gauge("moestro_agents", "Agents by state.", ["state"], (g, { agents }) => {
    for (const one of AGENT_CONDITIONS) {
      g.set({ state: one }, agents.filter(({ state }) => state === one).length);
    }
  });
  gauge("moestro_runs", "Runs that are not over, by state.", ["state"], (g, { runs }) => {
    for (const one of RUN_STATES) {
      g.set({ state: one }, runs.filter(({ state }) => state === one).length);
    }
  });
  gauge("moestro_queue_length", "Runs that wait for slots.", [], (g, { runs }) =>
    g.set(runs.filter(({ state }) => state === "queued").length),
  );
  gauge(
    "moestro_run_goodput_ratio",
    "Share of the time since a run's first start that went into steps that still count.",
    ["run"],
    (g, { runs }) => {
      for (const { runId, goodput } of runs)
        if (goodput !== undefined) g.set({ run: runId }, goodput);
    },
  );
  gauge(
    "moestro_agent_heartbeat_age_seconds",
    "Time since an agent was last heard of.",
    ["agent"],
    (g, { agents }) => {
      // By name, so that the same ones have a series every time.
      const sorted = agents.toSorted((a, b) => (a.agentId < b.agentId ? -1 : 1));
      for (const { agentId, silentMs } of sorted.slice(0, MAX_AGENT_SERIES)) {
        g.set({ agent: agentId }, silentMs / 1000);
      }
    },
  );
  gauge(
    "moestro_agent_heartbeat_age_max_seconds",
    "Time since the agent was heard of that is silent for longest.",
    [],
    (g, { agents }) => g.set(agents.reduce((most, one) => Math.max(most, one.silentMs), 0) / 1000),
  );
}

/** All gauges of one look see the same state, which is put together once. */
function oncePerTurn<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => {
    if (!made) {
      made = { value: make() };
      queueMicrotask(() => {
        made = undefined;
      });
    }
    return made.value;
  };
}
