import { toBinary } from "@bufbuild/protobuf";
import { CheckpointShardsSchema, StepReportSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import { joinStepReports } from "../../proto/merge-reports.ts";
import type { AgentMessage } from "./coordinator-stream.ts";

/** A message that is kept until it is acknowledged. */
export type Kept = { message: AgentMessage; sizeBytes: number; everSent: boolean };

/** What may be joined: also what was sent before, also over a checkpoint in between. */
export type Rule = { sent?: true; overCheckpoints?: true };

export function mayJoin(a: Kept, b: Kept, window: bigint, rule: Rule): boolean {
  return (
    windowOf(stepOf(a), window) === windowOf(stepOf(b), window) &&
    (rule.sent === true || !(a.everSent || b.everSent))
  );
}

export function joinKept(a: Kept, b: Kept): Kept {
  const reports = [a, b].flatMap(({ message }) => (message.case === "step" ? [message.value] : []));
  const message: AgentMessage = { case: "step", value: joinStepReports(reports) };
  return { message, sizeBytes: sizeOf(message), everSent: a.everSent || b.everSent };
}

/** The step of a report; 0 for what is none. */
export function stepOf({ message }: Kept): bigint {
  return message.case === "step" ? message.value.step : 0n;
}

/** The number of the window of this many steps that a step lies in; windows end at multiples. */
function windowOf(step: bigint, size: bigint): bigint {
  return (step + size - 1n) / size;
}

export function sizeOf(message: AgentMessage): number {
  switch (message.case) {
    case "step":
      return toBinary(StepReportSchema, message.value).length;
    case "checkpoint":
      return toBinary(CheckpointShardsSchema, message.value).length;
    default:
      return 0;
  }
}
