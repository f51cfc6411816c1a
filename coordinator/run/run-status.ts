import { create } from "@bufbuild/protobuf";
import type { Layout, Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import {
  RunState as ProtoState,
  type RunStatus,
  RunStatusSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { schemeName } from "../planner/plan-names.ts";
import type { MetricsRecord } from "../report/records.ts";
import type { WriteError } from "./files.ts";
import { isPlaced, type RunState } from "./run-state.ts";

const PROTO_STATES: Record<RunState, ProtoState> = {
  queued: ProtoState.QUEUED,
  starting: ProtoState.STARTING,
  running: ProtoState.RUNNING,
  recovering: ProtoState.RECOVERING,
  suspending: ProtoState.SUSPENDING,
  suspended: ProtoState.SUSPENDED,
  stopping: ProtoState.STOPPING,
  succeeded: ProtoState.SUCCEEDED,
  stopped: ProtoState.STOPPED,
  failed: ProtoState.FAILED,
};

export function stateCode(state: RunState): ProtoState {
  return PROTO_STATES[state];
}

/** Where a rank runs. */
export type RankFacts = { rank: number; agentId: string; pid: number };

/** What is known of a run. */
export type RunFacts = {
  runId: string;
  name: string;
  owner: string;
  priority: number;
  submittedAtMs: number;
  minRanks: number;
  maxRanks: number;
  maxRestarts: number;
  state: RunState;
  reason: string;
  generation: number;
  totalSteps: number;
  /** Of the current generation; undefined before the first. */
  plan: Plan | undefined;
  ranks: ReadonlyMap<number, RankFacts>;
  last: MetricsRecord | undefined;
  validationLoss: number | undefined;
  /** Smoothed; undefined before the first step. */
  stepMs: number | undefined;
  checkpointStep: number;
  restarts: number;
  countedRestarts: number;
  stepsLost: number;
  /** FLOPs of the model a trained token. */
  flopsPerToken: number;
  /** Of all GPUs it has together, a second; undefined where that is not known. */
  peakFlops: number | undefined;
  /** Share of the time since the first step that went into steps that count, 0..1. */
  goodput: number;
  lateControlValues: number;
  sample: string | null;
  /** Why what happens cannot be recorded just now; undefined if it can. */
  recordsWait: WriteError | undefined;
  /** Of a run that failed. */
  exitCode: number;
};

/** A run as people and programs see it. */
export function runStatus(facts: RunFacts): RunStatus {
  const { last, plan } = facts;
  const layers = last?.layers ?? [];
  const coefficients = layers.map((layer) => layer.auxCoeff);
  const tokensPerSecond = last && facts.stepMs ? (last.tokens / facts.stepMs) * 1000 : 0;
  const flops = tokensPerSecond * facts.flopsPerToken;
  const stepsLeft = facts.totalSteps - (last?.step ?? 0);
  return create(RunStatusSchema, {
    runId: facts.runId,
    name: facts.name,
    owner: facts.owner,
    priority: facts.priority,
    submittedAtMs: BigInt(facts.submittedAtMs),
    state: stateCode(facts.state),
    reason: reasonOf(facts),
    generation: BigInt(facts.generation),
    step: BigInt(last?.step ?? 0),
    totalSteps: BigInt(facts.totalSteps),
    loss: last?.loss ?? 0,
    ...(facts.validationLoss === undefined ? {} : { validationLoss: facts.validationLoss }),
    tokensPerSecond,
    modelFlopsPerSecond: flops,
    ...(facts.peakFlops ? { mfu: flops / facts.peakFlops } : {}),
    dropRate: layers.reduce((sum, layer) => sum + layer.dropRate, 0) / Math.max(1, layers.length),
    minCoefficient: coefficients.length > 0 ? Math.min(...coefficients) : 0,
    maxCoefficient: coefficients.length > 0 ? Math.max(...coefficients) : 0,
    etaMs: BigInt(Math.round(stepsLeft * (facts.stepMs ?? 0))),
    checkpointStep: BigInt(facts.checkpointStep),
    stages: plan ? stagesOf(plan, last) : [],
    numRanks: isPlaced(facts.state) ? (plan?.worldSize ?? 0) : 0,
    minRanks: facts.minRanks,
    maxRanks: facts.maxRanks,
    layout: plan?.layout ? layoutText(plan.layout) : "",
    restarts: facts.restarts,
    countedRestarts: facts.countedRestarts,
    maxRestarts: facts.maxRestarts,
    goodput: facts.goodput,
    exitCode: facts.exitCode,
    stepsLost: BigInt(facts.stepsLost),
    layers: layers.map(({ layer, dropRate, auxCoeff, expertLoad }) => ({
      ...{ layer, dropRate, coefficient: auxCoeff, load: expertLoad.map(BigInt) },
    })),
    ranks: [...facts.ranks.values()],
  });
}

function reasonOf({ reason, recordsWait, state }: RunFacts): string {
  return recordsWait ? `${reason}; ${describeWait(recordsWait, state)}` : reason;
}

/** Why nothing can be recorded just now, what that means for the run, and what to do. */
export function describeWait({ problem, remedy }: WriteError, state: RunState): string {
  const what =
    state === "running" ? "training goes on, and what it tells" : "what is to be recorded";
  return `${problem}; ${what} is kept until it can be written: ${remedy}`;
}

function stagesOf(plan: Plan, last: MetricsRecord | undefined) {
  return plan.stages.map(({ index, numLayers }) => {
    const measured = last?.stages.find((stage) => stage.stage === index);
    const memory = last?.memory.stages.find((stage) => stage.stage === index);
    return {
      stage: index,
      numLayers,
      computeMs: measured?.computeMs ?? 0,
      communicationMs: measured?.communicationMs ?? 0,
      peakMemoryBytes: BigInt(memory?.peakBytes ?? 0),
    };
  });
}

/** "edp pp 2 tp 2 dp 2 ep 2": sizes of one are left out. */
function layoutText(layout: Layout): string {
  const sizes: [string, number][] = [
    ["pp", layout.pipelineParallel],
    ["tp", layout.tensorParallel],
    ["cp", layout.contextParallel],
    ["dp", layout.dataParallel],
    ["ep", layout.expertParallel],
    ["etp", layout.expertTensorParallel],
  ];
  const told = sizes.filter(([, size]) => size > 1).map(([name, size]) => `${name} ${size}`);
  return [schemeName(layout.scheme) ?? "", ...told].join(" ");
}
