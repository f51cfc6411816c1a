import type { RankExited } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Coefficients } from "../../proto/gen/moestro/v1/rank_pb.js";
import type {
  CheckpointShards,
  DataPrepared,
  Sample,
  StepReport,
} from "../../proto/gen/moestro/v1/report_pb.js";
import type { AgentVerdict } from "../fleet/agent-health.ts";

/** What a generation tells of itself. A handler that throws ends the generation. */
export type GenerationEvents = {
  /** Up to where steps and checkpoints are written down for good. */
  readonly written: { step: number; checkpointStep: number };
  rankStarted(rank: number, pid: number, agentId: string): void;
  dataPrepared(data: DataPrepared): void;
  /** The ranks have met: their process group stands. */
  joined(): void;
  /** All ranks stand and begin with `nextStep`. */
  running(nextStep: number): void;
  /** A step of all ranks. Returns what is to take effect, if anything is. */
  step(report: StepReport): Coefficients | undefined;
  /** From the last report of a step to the coefficients that answer it. */
  controlled(latencyMs: number): void;
  /** All that is to take effect in steps that are not reported yet. */
  coefficients(): Coefficients[];
  checkpointWritten(shards: CheckpointShards): void;
  sampled(sample: Sample): void;
  /** A rank's process has ended, well or not. */
  rankExited(exit: RankExited): void;
  /** What is thought of an agent with ranks of this generation has changed. */
  agentJudged(agentId: string, verdict: AgentVerdict["verdict"], reason: string): void;
  /** The ranks make no step; their stacks are being taken. */
  hanging(reason: string): void;
  stack(rank: number, lines: readonly string[]): void;
  /** A rank holds the others up, or does no more; nothing is done about it. */
  straggler(message: string, details: Record<string, unknown>): void;
  /** The generation is being given up; `reason` says why, ranks are being ended. */
  failing(reason: string): void;
};
