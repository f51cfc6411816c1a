import { fromBinary } from "@bufbuild/protobuf";
import { type Plan, PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import type { Job } from "../spec/schema.ts";
import { WorkerCalls } from "../worker-calls.ts";

export type Question = { job: Job; ranks: number };
/** The plan, protobuf; undefined if there is none. */
export type Answer = Uint8Array | undefined;

const OPTIONS = { idleMs: 60_000, mostMs: 300_000 };

/** Plans runs in a thread of its own: for many GPUs it takes seconds. */
export class PlanThread {
  private readonly calls = new WorkerCalls<Question, Answer>(
    new URL("./plan-thread-main.ts", import.meta.url),
    OPTIONS,
  );

  /** As `planRun`; undefined if there is no plan. */
  async plan(job: Job, ranks: number): Promise<Plan | undefined> {
    const answer = await this.calls.ask({ job, ranks });
    return answer === undefined ? undefined : fromBinary(PlanSchema, answer);
  }

  close(): void {
    this.calls.close("the coordinator ends");
  }
}
