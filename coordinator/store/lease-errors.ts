import { MoestroError } from "../errors.ts";
import type { Held } from "./store.ts";

/** Leases of runs that this machine trains without a server. */
const RUN_LEASE = "run:";

/** The lease of a run that `moestro train` carries out. */
export function runLease(runId: string): string {
  return `${RUN_LEASE}${runId}`;
}

/** Somebody else has the lease: the process of this id, if it is known. */
export function leaseInUse(lease: string, pid: number | undefined): MoestroError {
  const holder = pid === undefined ? "another process" : `process ${pid}`;
  const runId = lease.startsWith(RUN_LEASE) ? lease.slice(RUN_LEASE.length) : undefined;
  return new MoestroError(
    "in_use",
    runId === undefined
      ? `the lease ${lease} is held by ${holder}; it is free once that process has ended or given it up`
      : `run ${runId} is in use by ${holder}; wait for it to end, stop it with: moestro stop ${runId}`,
  );
}

/** A write under a lease that is not held any more. */
export function leaseLost({ lease, epoch }: Held): MoestroError {
  const what = lease.startsWith(RUN_LEASE)
    ? `run ${lease.slice(RUN_LEASE.length)}`
    : `the lease ${lease}`;
  return new MoestroError(
    "in_use",
    `${what} was taken over by another coordinator (this one held epoch ${epoch})`,
  );
}

export function runExists(runId: string): MoestroError {
  return new MoestroError("in_use", `there is a run ${runId} already; choose another name`);
}

/** A write to a run that the store does not have, though its writer does. */
export function runMissing(where: string, runId: string): MoestroError {
  return new MoestroError(
    "environment",
    `${where}: run ${runId} is not in the store; if it was emptied, put its data back`,
  );
}
