import type { PlacedRun } from "./scheduling.ts";
import type { Kind } from "./supply.ts";

/** What has to be given back for a run to start. */
export type Shortage = {
  kind: Kind;
  /** Slots of that kind. */
  slots: number;
  owner: string;
  /** Slots that count against quotas: of the owner, and of all. */
  ofOwner: number;
  ofAll: number;
};

/** Slots of the kind that is short, and those that count against quotas. */
export type Given = Pick<Shortage, "slots" | "ofOwner" | "ofAll">;

/** A run that may be preempted, and what others would have of it. */
export type Candidate = { run: PlacedRun; kind: Kind | undefined; numUsable: number; size: number };

/** What a candidate gives of what is missing. */
export function giftOf({ run, kind, numUsable, size }: Candidate, shortage: Shortage): Given {
  return {
    slots: kind === shortage.kind ? numUsable : 0,
    ofOwner: run.owner === shortage.owner ? size : 0,
    ofAll: size,
  };
}

/** Whether a candidate gives some of what is still missing. */
export function helps(
  { run, kind, numUsable }: Candidate,
  shortage: Shortage,
  given: Given,
): boolean {
  return (
    (given.slots < shortage.slots && kind === shortage.kind && numUsable > 0) ||
    (given.ofOwner < shortage.ofOwner && run.owner === shortage.owner) ||
    given.ofAll < shortage.ofAll
  );
}

export function isEnough(shortage: Given, given: Given): boolean {
  return (
    given.slots >= shortage.slots &&
    given.ofOwner >= shortage.ofOwner &&
    given.ofAll >= shortage.ofAll
  );
}

export function add(sum: Given, gift: Given, sign: 1 | -1): void {
  sum.slots += sign * gift.slots;
  sum.ofOwner += sign * gift.ofOwner;
  sum.ofAll += sign * gift.ofAll;
}
