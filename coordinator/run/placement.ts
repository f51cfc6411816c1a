import { MoestroError } from "../errors.ts";

/**
 * Which ranks run on which agent: consecutive ranks fill one agent after the
 * other, so that the fastest mesh axes stay inside a node.
 *
 * @param slots Ranks each agent has room for.
 * @returns One list of ranks an agent; empty where none is needed.
 */
export function placeRanks(worldSize: number, slots: readonly number[]): number[][] {
  const total = slots.reduce((sum, count) => sum + count, 0);
  if (total < worldSize) {
    throw new MoestroError(
      "no_plan",
      `the plan needs ${worldSize} ranks and the agents have room for ${total}; add agents or make the layout smaller`,
    );
  }
  let next = 0;
  return slots.map((count) => {
    const end = Math.min(worldSize, next + count);
    const ranks = Array.from({ length: end - next }, (_, index) => next + index);
    next = end;
    return ranks;
  });
}
