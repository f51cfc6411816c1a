import type { Fleet } from "../fleet/fleet.ts";
import { namedAccelerator } from "../planner/hardware/named-accelerator.ts";
import type { Placed } from "../store/store.ts";

/**
 * Peak FLOP/s in bf16 of all GPUs that a run is placed on, by their agents' inventories;
 * undefined where one of them is not known, such as on processors.
 */
export function peakFlops(placed: readonly Placed[], fleet: Pick<Fleet, "member">) {
  let sum = 0;
  for (const { agentId, slots } of placed) {
    const accelerators = fleet.member(agentId)?.hello?.inventory?.accelerators ?? [];
    for (const slot of slots) {
      const peak = namedAccelerator(accelerators[slot]?.name ?? "")?.peakFlops.bf16;
      if (peak === undefined) return undefined;
      sum += peak;
    }
  }
  return sum;
}
