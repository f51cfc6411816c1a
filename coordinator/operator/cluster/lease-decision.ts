/** What a Lease says. */
export interface LeaseRecord {
  /** Empty where whoever held it let it go. */
  holder: string;
  /** Any write is another. */
  resourceVersion: string;
}

/** The record as this operator has it, and when it first saw it so, by its own clock. */
export interface SeenLease {
  record: LeaseRecord | undefined;
  sinceMs: number;
}

export type LeaseDecision = "create" | "renew" | "take" | "wait";

/**
 * What to do about the lease. Clocks of others are not believed: a lease is over when nobody has
 * written it for its duration, as measured here. Pure.
 */
export function decideLease(
  nowMs: number,
  { record, sinceMs }: SeenLease,
  self: string,
  durationMs: number,
): LeaseDecision {
  if (record === undefined) return "create";
  if (record.holder === self) return "renew";
  return record.holder === "" || nowMs - sinceMs >= durationMs ? "take" : "wait";
}

/** Keeps since when a record is as it is. Pure. */
export function seeLease(
  nowMs: number,
  before: SeenLease | undefined,
  record: LeaseRecord | undefined,
): SeenLease {
  const isSame = before !== undefined && before.record?.resourceVersion === record?.resourceVersion;
  return { record, sinceMs: isSame ? before.sinceMs : nowMs };
}
