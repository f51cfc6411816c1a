import { planSnapshot } from "../../cli/plan/plan-snapshot.ts";
import { answerCalls } from "../../worker-calls.ts";
import { judgeSpec } from "./judge-spec.ts";
import type { Question } from "./judge-thread.ts";

answerCalls(({ folder, metadata, spec }: Question) =>
  judgeSpec({ metadata, spec }, folder, planSnapshot),
);
