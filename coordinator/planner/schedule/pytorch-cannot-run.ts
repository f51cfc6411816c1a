import type { RecomputeKind } from "../cost/workload.ts";
import type { ScheduleName } from "../plan-document.ts";

/**
 * Why torch.distributed.pipelining cannot run a schedule with these kinds of
 * recompute or with torch.compile; undefined when it can. Measured of the zero-bubble
 * schedule with torch 2.13: its backward runs in two parts, and selective recompute fails
 * on the second ("Trying to backward an extra time").
 */
export function pytorchCannotRun(
  schedule: ScheduleName,
  recompute: Iterable<RecomputeKind>,
  compile: boolean,
): string | undefined {
  // DualPipeV splits some backwards in the same way, so it is taken to fail alike.
  if (schedule !== "zero-bubble" && schedule !== "dualpipev") return undefined;
  if (compile) return `PyTorch refuses torch.compile with the ${schedule} schedule`;
  for (const kind of recompute) {
    if (kind === "selective") {
      return `PyTorch cannot run the ${schedule} schedule with selective recompute; use none or full`;
    }
  }
  return undefined;
}
