import { create } from "@bufbuild/protobuf";
import {
  AgentState,
  type AgentStatus,
  AgentStatusSchema,
} from "../../../proto/gen/moestro/v1/fleet_pb.js";
import { RunState, type RunStatus, RunStatusSchema } from "../../../proto/gen/moestro/v1/run_pb.js";
import type { EventRecord } from "../../report/records.ts";
import { initialWatch, openRun, type Update, type WatchState, withUpdate } from "./watch-state.ts";

const NUM_EXPERTS = 16;

/** A service with four agents, and runs in most states. */
export const AGENTS: readonly AgentStatus[] = ["node-a", "node-b", "node-c", "node-d"].map(
  (agentId, i) =>
    create(AgentStatusSchema, {
      ...{ agentId, host: agentId, numSlots: 2, numUsedSlots: i < 3 ? 2 : 0 },
      state:
        [AgentState.CONNECTED, AgentState.CONNECTED, AgentState.SILENT, AgentState.LOST][i] ?? 0,
      drained: i === 1,
    }),
);

export const EVENTS: readonly EventRecord[] = [
  ["05:30:00", "run.queued", "submitted by ann, for 4 to 8 ranks"],
  ["05:30:01", "run.starting", "6 ranks on node-a, node-b and node-c"],
  ["05:30:09", "run.running", "all ranks stand, training begins with step 1"],
  ["05:31:00", "checkpoint.committed", "step 100 is committed"],
  ["05:31:02", "run.recovering", "rank 3 was ended by SIGKILL; restart 1 of at most 10"],
  ["05:31:05", "run.running", "all ranks stand, training goes on with step 101"],
  ["05:31:06", "run.recovered", "trains again 2.9 s after the first sign of the failure"],
].map(([clock, event = "", message = ""]) => ({ time: `2026-11-24T${clock}Z`, event, message }));

/** The run that is watched, after a step: drops fall, and the first layers drop most. */
export function runningAt(step: number): RunStatus {
  const layers = Array.from({ length: 6 }, (_, layer) => {
    const wave = 1 + 0.3 * Math.sin(step / 3 + layer);
    const dropRate = (0.08 / (1 + layer)) * wave * Math.exp(-step / 150);
    return {
      ...{ layer, dropRate, coefficient: dropRate / 5 },
      load: Array.from({ length: NUM_EXPERTS }, (_, expert) =>
        BigInt(Math.round(1000 * (1 + (Math.sin(expert * 2.1 + layer) * 0.9) / (1 + layer)))),
      ),
    };
  });
  return create(RunStatusSchema, {
    ...{ runId: "skywork-tiny-20261124-053000", name: "skywork-tiny", owner: "ann", priority: 5 },
    ...{ state: RunState.RUNNING, reason: "all ranks stand, training goes on with step 101" },
    ...{ generation: 2n, step: BigInt(step), totalSteps: 300n, loss: 2 + 3 * Math.exp(-step / 80) },
    ...{
      validationLoss: 2.71,
      tokensPerSecond: 10_240,
      mfu: 0.412,
      dropRate: 0.0223,
      etaMs: 72_000n,
    },
    ...{ minCoefficient: 0.0008, maxCoefficient: 0.012, checkpointStep: 100n, goodput: 0.962 },
    ...{ numRanks: 6, minRanks: 4, maxRanks: 8, layout: "edp pp 3 tp 2 ep 2" },
    ...{ restarts: 2, countedRestarts: 1, maxRestarts: 10, stepsLost: 7n, layers },
    stages: [300, 240, 210].map((computeMs, stage) => ({
      ...{ stage, numLayers: 2, computeMs, communicationMs: 50, peakMemoryBytes: 2n ** 29n },
    })),
    ranks: Array.from({ length: 6 }, (_, rank) => ({
      ...{ rank, agentId: AGENTS[Math.floor(rank / 2)]?.agentId ?? "", pid: 4180 + rank },
    })),
  });
}

const OTHERS: readonly [string, RunState, string][] = [
  ["granite-sweep-07", RunState.QUEUED, "waits for 4 slots: 2 of 8 are free, all of lost agents"],
  ["granite-sweep-08", RunState.QUEUED, "waits behind granite-sweep-07"],
  ["long-context", RunState.SUSPENDED, "asked to suspend"],
  ["granite-sweep-06", RunState.SUCCEEDED, "all 400 steps are done"],
  ["broken-data", RunState.FAILED, "data.path: corpus.bin has no such file; check data.path"],
];

export function runsAt(step: number): RunStatus[] {
  const others = OTHERS.map(([runId, state, reason], i) =>
    create(RunStatusSchema, {
      ...{ runId, state, reason, owner: "bob", totalSteps: 400n, minRanks: 4, maxRanks: 4 },
      ...(state === RunState.SUCCEEDED ? { step: 400n, loss: 2.318, goodput: 1, restarts: i } : {}),
    }),
  );
  return [runningAt(step), ...others];
}

/** The state after a service was watched for so many steps. */
export function watched({ steps = 120, open = false } = {}): WatchState {
  const [first] = runsAt(1);
  if (!first) throw new Error("the fixture has runs");
  const updates: Update[] = [
    { kind: "link", link: { phase: "connected", address: "127.0.0.1:7070" } },
    { kind: "agents", agents: AGENTS },
    { kind: "runs", runs: runsAt(open ? 1 : steps) },
  ];
  const state = updates.reduce(withUpdate, initialWatch(0));
  if (!open) return state;
  const { runId } = first;
  const seen: Update[] = [
    ...EVENTS.map((event): Update => ({ kind: "event", runId, event })),
    ...Array.from(
      { length: steps },
      (_, i): Update => ({
        ...{ kind: "status", status: runningAt(i + 1) },
      }),
    ),
  ];
  return seen.reduce(withUpdate, openRun(state, runId));
}
