import { createHash } from "node:crypto";
import type { PreparedGeneration, RunContext } from "./prepare-generation.ts";

/** One event that shows that the run went on where its checkpoint was; `step` is the first new one. */
export function proveRecovery(
  { journal, recorder, job }: RunContext,
  step: number,
  { restore, superseded }: Pick<PreparedGeneration, "restore" | "superseded">,
  times: Record<string, unknown>,
): void {
  const { step: checkpointStep = 0, sourceHash = "" } = restore?.manifest ?? {};
  const loss = recorder.steps.last?.loss ?? null;
  const { first } = superseded;
  const lossBefore = first?.step === step ? first.loss : null;
  const dataPosition = checkpointStep * job.training.globalBatchSize;
  const dataHash = createHash("sha256")
    .update(`${sourceHash} ${job.training.seed} ${dataPosition}`)
    .digest("hex");
  const again = lossBefore === null ? "" : `, where it was ${lossBefore.toFixed(4)} before`;
  journal.event(
    "run.recovered",
    `trains again from step ${step}, behind the checkpoint of step ${checkpointStep}, with loss ${loss?.toFixed(4)}${again}`,
    {
      ...{ checkpointStep, firstStep: step, dataPosition, dataHash, loss, lossBefore },
      ...times,
    },
  );
}
