import { create } from "@bufbuild/protobuf";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import {
  RunState as ProtoState,
  type RunStatus,
  RunStatusSchema,
  StageStatusSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import type { MetricsRecord } from "../report/records.ts";
import type { RunState } from "./run-state.ts";

const PROTO_STATES: Record<RunState, ProtoState> = {
  starting: ProtoState.STARTING,
  running: ProtoState.RUNNING,
  stopping: ProtoState.STOPPING,
  succeeded: ProtoState.SUCCEEDED,
  stopped: ProtoState.STOPPED,
  failed: ProtoState.FAILED,
};

export type RunFacts = {
  runId: string;
  state: RunState;
  reason: string;
  generation: number;
  totalSteps: number;
  plan: Plan;
  last: MetricsRecord | undefined;
  validationLoss: number | undefined;
  /** Smoothed; undefined before the first step. */
  stepMs: number | undefined;
  checkpointStep: number;
};

/** A run as people and programs see it. */
export function runStatus(facts: RunFacts): RunStatus {
  const { last, plan } = facts;
  const layers = last?.layers ?? [];
  const coefficients = layers.map((layer) => layer.auxCoeff);
  const stepsLeft = facts.totalSteps - (last?.step ?? 0);
  return create(RunStatusSchema, {
    runId: facts.runId,
    state: PROTO_STATES[facts.state],
    reason: facts.reason,
    generation: BigInt(facts.generation),
    step: BigInt(last?.step ?? 0),
    totalSteps: BigInt(facts.totalSteps),
    loss: last?.loss ?? 0,
    ...(facts.validationLoss === undefined ? {} : { validationLoss: facts.validationLoss }),
    tokensPerSecond: last && facts.stepMs ? (last.tokens / facts.stepMs) * 1000 : 0,
    dropRate: layers.reduce((sum, layer) => sum + layer.dropRate, 0) / Math.max(1, layers.length),
    minCoefficient: coefficients.length > 0 ? Math.min(...coefficients) : 0,
    maxCoefficient: coefficients.length > 0 ? Math.max(...coefficients) : 0,
    etaMs: BigInt(Math.round(stepsLeft * (facts.stepMs ?? 0))),
    checkpointStep: BigInt(facts.checkpointStep),
    stages: plan.stages.map(({ index, numLayers }) => {
      const measured = last?.stages.find((stage) => stage.stage === index);
      const memory = last?.memory.stages.find((stage) => stage.stage === index);
      return create(StageStatusSchema, {
        stage: index,
        numLayers,
        computeMs: measured?.computeMs ?? 0,
        communicationMs: measured?.communicationMs ?? 0,
        peakMemoryBytes: BigInt(memory?.peakBytes ?? 0),
      });
    }),
  });
}
