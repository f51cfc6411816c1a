import { toBinary } from "@bufbuild/protobuf";
import { PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { answerCalls } from "../worker-calls.ts";
import { planOrNone } from "./plan-run.ts";
import type { Answer, Question } from "./plan-thread.ts";

answerCalls(({ job, ranks }: Question): Answer => {
  const plan = planOrNone(job, ranks);
  return plan && toBinary(PlanSchema, plan);
});
