import type { Summary } from "./job-status.ts";
import type { ObservedRun } from "./observation.ts";

/** Numbers as people read them; the API has none with a fraction. */
export function summaryOf(run: ObservedRun | undefined): Summary | undefined {
  if (run === undefined) return undefined;
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
