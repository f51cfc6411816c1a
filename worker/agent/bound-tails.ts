import { create } from "@bufbuild/protobuf";
import {
  type RankExited,
  RankExitedSchema,
  type RankGroupState,
  RankGroupStateSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";

/** A hello is taken up to 8 MiB; what else is in it is little. */
const MAX_TAILS_BYTES = 4 * 1024 * 1024;
/** Of a line as protobuf writes it: its tag and its length. */
const LINE_BYTES = 5;

/**
 * The groups with the last lines of ranks that ended cut so far that all together stay
 * below `maxBytes`: those of the ranks that ended last are kept, and of a rank its last
 * lines. What was cut is told in their place. `order` grows with every end. Pure.
 */
export function boundTails(
  groups: readonly RankGroupState[],
  order: (exit: RankExited) => number,
  maxBytes = MAX_TAILS_BYTES,
): RankGroupState[] {
  const exits = groups.flatMap(({ exits }) => exits).sort((a, b) => order(b) - order(a));
  const bounded = new Map<RankExited, RankExited>();
  let left = maxBytes;
  for (const exit of exits) {
    const kept = lastLines(exit.stderrTail, left);
    left = kept.isAll ? left - kept.numBytes : 0;
    bounded.set(exit, kept.isAll ? exit : withTail(exit, kept.lines));
  }
  if (left > 0) return [...groups];
  return groups.map((group) =>
    create(RankGroupStateSchema, {
      ...group,
      exits: group.exits.map((exit) => bounded.get(exit) ?? exit),
    }),
  );
}

function lastLines(lines: readonly string[], maxBytes: number) {
  let numBytes = 0;
  let first = lines.length;
  while (first > 0) {
    const more = Buffer.byteLength(lines[first - 1] ?? "") + LINE_BYTES;
    if (numBytes + more > maxBytes) break;
    numBytes += more;
    first -= 1;
  }
  return { lines: lines.slice(first), numBytes, isAll: first === 0 };
}

function withTail(exit: RankExited, kept: readonly string[]): RankExited {
  const numCut = exit.stderrTail.length - kept.length;
  const told = `(${numCut} of its last ${exit.stderrTail.length} lines are left out here; its log has them)`;
  return create(RankExitedSchema, { ...exit, stderrTail: [told, ...kept] });
}
