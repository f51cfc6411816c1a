import type { Ledger } from "./ledger.ts";
import type { WaitingRun } from "./scheduling.ts";
import type { Candidate } from "./shortage.ts";
import type { Kind } from "./supply.ts";
import { listRuns, numberOf, timeOf } from "./wording.ts";

/**
 * What a run waits for that cannot start: says it, and makes room by preemption if that
 * lets the run start at its smallest size.
 *
 * @param isPatient whether others may start in slots that this run cannot use yet
 * @returns the kind of slots that are promised to the run
 */
export function wait(ledger: Ledger, run: WaitingRun, isPatient: boolean): Kind | undefined {
  const { supply, quota } = ledger;
  const { owner } = run;
  const size = run.sizes.reduce(
    (least, { numRanks }) => Math.min(least, numRanks),
    Number.POSITIVE_INFINITY,
  );
  const say = (reason: string) => ledger.say(run, reason);
  if (size === Number.POSITIVE_INFINITY) return say("no number of ranks it may have is legal");
  const needs = `it needs ${numberOf(size, "slot")}`;
  const kinds = supply.kinds.filter(({ capacity }) => capacity >= size);
  if (kinds.length === 0) {
    const most = Math.max(0, ...supply.kinds.map(({ capacity }) => capacity));
    return say(`${needs}, and the agents that take runs have ${most} in all`);
  }
  const missing = quota.missing(owner, size);
  const coming = kinds.find(({ soon }) => soon >= size);
  if (coming && missing.ofOwner === 0 && missing.ofAll === 0) {
    say(`${needs}, which other runs are giving back`);
    ledger.promise(run, coming, size);
    return coming;
  }
  const preempted = preempt(ledger, run, size, kinds);
  if (preempted) return preempted;
  if (quota.room(owner) < size) return say(quota.describe(owner, size));
  const most = kinds.reduce((best, kind) => (kind.soon > best.soon ? kind : best));
  const free = Math.max(0, most.available);
  if (!isPatient) {
    say(`${needs}; ${free} are free and kept for it`);
    ledger.promise(run, most, size);
    return most;
  }
  ledger.head ??= run;
  const withRoom = kinds.find(({ pool }) => pool.total >= size);
  const before = withRoom && ledger.promisedTo.get(withRoom);
  return say(
    before
      ? `${needs}, behind run ${before.runId}, which waits since ${timeOf(before.queuedSinceMs)}`
      : `${needs}, and ${free} are free`,
  );
}

/** Makes room the cheapest way among runs of lower priority, if there is one. */
function preempt(
  ledger: Ledger,
  run: WaitingRun,
  size: number,
  kinds: readonly Kind[],
): Kind | undefined {
  const { supply, quota, victims, actions } = ledger;
  const { runId, owner, priority } = run;
  if (!victims.isAnyBelow(priority)) return undefined;
  const ways = kinds.flatMap((kind) => {
    const slots = Math.max(0, size - kind.soon);
    const shortage = { kind, slots, owner, ...quota.missing(owner, size) };
    const candidates = victims.cheapest(priority, shortage);
    return candidates ? [{ kind, candidates }] : [];
  });
  const [way] = ways.sort(
    (a, b) =>
      dearest(a.candidates) - dearest(b.candidates) ||
      numSlots(a.candidates) - numSlots(b.candidates),
  );
  if (!way) return undefined;
  for (const { run: victim } of way.candidates) {
    const reason = `run ${runId} of priority ${priority} needs its slots, and its own priority is ${victim.priority}`;
    actions.push({ kind: "preempt", runId: victim.runId, for: runId, reason });
    supply.expect(victim);
    quota.expect(victim);
  }
  victims.remove(way.candidates);
  const from = listRuns(way.candidates.map((victim) => victim.run.runId));
  ledger.say(run, `it needs ${numberOf(size, "slot")}, for which ${from} will be suspended`);
  ledger.promise(run, way.kind, size);
  return way.kind;
}

function dearest(candidates: readonly Candidate[]): number {
  return Math.max(...candidates.map(({ run }) => run.priority));
}

function numSlots(candidates: readonly Candidate[]): number {
  return candidates.reduce((sum, { size }) => sum + size, 0);
}
