import { parentPort } from "node:worker_threads";
import { planSnapshot } from "../../cli/plan/plan-snapshot.ts";
import { judgeSpec } from "./judge-spec.ts";
import type { Answer, Question } from "./judge-thread.ts";

parentPort?.on("message", async ({ id, folder, metadata, spec }: Question) => {
  const answer = (told: Answer) => parentPort?.postMessage(told);
  try {
    answer({ id, verdict: await judgeSpec({ metadata, spec }, folder, planSnapshot) });
  } catch (error) {
    answer({ id, failure: (error as Error).message });
  }
});
