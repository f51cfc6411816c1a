import type { Summary } from "./job-status.ts";
import type { ObservedRun } from "./observation.ts";

/**
 * Numbers as people read them; the API has none with a fraction. Ranks that are started again
 * have made no step yet, and their run has.
 */
export function summaryOf(run: ObservedRun | undefined, before?: Summary): Summary | undefined {
  if (run === undefined) return undefined;
  if (run.step === 0 && before?.step) return { ...before, state: run.state };
  const { state, step, totalSteps, layout, loss, dropRate, etaMs, mfu } = run;
  return {
    ...{ state, step, totalSteps },
    ...(layout === "" ? {} : { layout }),
    ...(loss === undefined ? {} : { loss: loss.toFixed(4) }),
    ...(dropRate === undefined ? {} : { dropRate: dropRate.toFixed(4) }),
    ...(etaMs === undefined ? {} : { etaSeconds: Math.round(etaMs / 1000) }),
    ...(mfu === undefined ? {} : { mfu: (mfu * 100).toFixed(1) }),
  };
}
