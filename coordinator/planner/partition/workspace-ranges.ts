import type { Choice } from "./recompute-choices.ts";

/** Workspaces from one size to another, both of which occur. */
export interface WorkspaceRange {
  leastBytes: number;
  mostBytes: number;
}

/**
 * All workspaces of the choices, ascending, in ranges of about as many each; a
 * range each where there are few. A stage whose largest workspace lies in a range
 * has room for it if `leastBytes` do, and picks among choices up to `mostBytes`:
 * a relaxation, exact when the two are equal.
 */
export function workspaceRanges(choices: readonly Choice[], mostRanges: number): WorkspaceRange[] {
  const all = [...new Set(choices.map(({ workspaceBytes }) => workspaceBytes))];
  all.sort((a, b) => a - b);
  const count = Math.min(mostRanges, all.length);
  const at = (range: number) => Math.floor((range * all.length) / count);
  return Array.from({ length: count }, (_, range) => ({
    leastBytes: all[at(range)] as number,
    mostBytes: all[at(range + 1) - 1] as number,
  }));
}
