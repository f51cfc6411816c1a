import type { PlanChoice } from "../plan-document.ts";
import { table } from "../text-table.ts";
import { formatMs } from "./figures.ts";

/** Where the mean rank's time goes, and how far the pipeline may be from the best. */
export function breakdown({ predicted, certificate }: PlanChoice): string[] {
  const { breakdown: part, stepTimeMs } = predicted;
  const row = (name: string, ms: number) => [
    name,
    formatMs(ms),
    `${((100 * ms) / stepTimeMs).toFixed(1)} %`,
  ];
  return [
    ...table([
      row("compute", part.computeMs),
      row("recompute", part.recomputeMs),
      row("communication", part.communicationMs),
      row("bubble: ideal", part.idealBubbleMs),
      row("bubble: imbalance", part.imbalanceBubbleMs),
      row("bubble: recompute", part.recomputeBubbleMs),
      row("bubble: communication", part.communicationBubbleMs),
      row("gradients and optimizer", part.optimizerMs),
      row("step", stepTimeMs),
    ]),
    `pipeline simulated ${formatMs(certificate.simulatedMs)}, bound ${formatMs(certificate.boundMs)}, gap ${(100 * certificate.gap).toFixed(3)} % (${certificate.covers})`,
    `MFU counts ${predicted.mfuConvention}`,
  ];
}
