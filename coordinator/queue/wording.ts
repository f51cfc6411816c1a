/** "1 slot", "8 slots". */
export function numberOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** "run a", "runs a and b", "runs a, b and 7 others". */
export function listRuns(runIds: readonly string[]): string {
  const [first = "", second] = runIds;
  if (second === undefined) return `run ${first}`;
  const others = runIds.length - 2;
  if (others === 0) return `runs ${first} and ${second}`;
  return `runs ${first}, ${second} and ${numberOf(others, "other")}`;
}

/** A time that reads the same in every pass: "2026-05-01 09:30 UTC". */
export function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
