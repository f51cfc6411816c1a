import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiException,
  CoordinationV1Api,
  type KubeConfig,
  type V1Lease,
  V1MicroTime,
} from "@kubernetes/client-node";
import { within } from "../../kubernetes/within.ts";
import { decideLease, type LeaseRecord, type SeenLease, seeLease } from "./lease-decision.ts";

export interface ElectionOptions {
  namespace: string;
  name: string;
  /** Of this process, and no other. */
  self: string;
  /** Whoever does not renew for so long has lost it. */
  durationMs: number;
  /** How often it is renewed, or looked at. */
  periodMs: number;
}

export const ELECTION_OPTIONS = { name: "moestro-operator", durationMs: 15_000, periodMs: 3_000 };

/** One operator of several works at a time: the one that holds the Lease. */
export class LeaderElection {
  private readonly api: CoordinationV1Api;
  private readonly options: ElectionOptions;
  private readonly changed: (isLeader: boolean) => void;
  private readonly failed: (error: unknown) => void;
  private seen: SeenLease | undefined;
  private lease: V1Lease | undefined;
  /** Nothing went wrong since this process wrote it. */
  private isAsWritten = false;
  private heldUntilMs = Number.NEGATIVE_INFINITY;
  private ending: NodeJS.Timeout | undefined;
  private wasLeader = false;
  private readonly closing = new AbortController();

  constructor(
    config: KubeConfig,
    options: ElectionOptions,
    changed: (isLeader: boolean) => void,
    failed: (error: unknown) => void,
  ) {
    this.api = config.makeApiClient(CoordinationV1Api);
    this.options = options;
    this.changed = changed;
    this.failed = failed;
  }

  /** By this process's clock; it ends before another may take the lease. */
  get isLeader(): boolean {
    return performance.now() < this.heldUntilMs;
  }

  /** Stands for election until it is closed; then lets the lease go. */
  async run(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        await this.step();
      } catch (error) {
        // Somebody else was faster, which the next look shows.
        if (!(error instanceof ApiException && error.code === 409)) this.failed(error);
      }
      this.tell();
      await this.pause(signal);
    }
    clearTimeout(this.ending);
    if (this.isLeader) await this.release();
    this.tell();
  }

  close(): void {
    this.closing.abort();
  }

  private tell(): void {
    const { isLeader } = this;
    if (isLeader === this.wasLeader) return;
    this.wasLeader = isLeader;
    this.changed(isLeader);
  }

  private async step(): Promise<void> {
    const { self, durationMs } = this.options;
    // Whoever wrote it last knows how it is, and is refused if somebody else did.
    if (!this.isAsWritten) this.lease = await this.read();
    this.isAsWritten = false;
    this.seen = seeLease(performance.now(), this.seen, recordOf(this.lease));
    const decision = decideLease(performance.now(), this.seen, self, durationMs);
    if (decision === "wait") {
      this.heldUntilMs = Number.NEGATIVE_INFINITY;
      return;
    }
    // Counted from before it is written: others count from after.
    const fromMs = performance.now();
    await this.write(self, decision === "take" ? 1 : 0);
    this.isAsWritten = true;
    this.heldUntilMs = fromMs + (durationMs * 2) / 3;
    clearTimeout(this.ending);
    // Whatever call hangs then.
    this.ending = setTimeout(() => this.tell(), this.heldUntilMs - performance.now() + 1);
  }

  private async read(): Promise<V1Lease | undefined> {
    const { name, namespace } = this.options;
    try {
      return await this.api.readNamespacedLease({ name, namespace }, this.soon());
    } catch (error) {
      if (error instanceof ApiException && error.code === 404) return undefined;
      throw error;
    }
  }

  /** Refused with 409 if the lease is not the one that was read. */
  private async write(holderIdentity: string, transitions: number): Promise<void> {
    const { name, namespace, durationMs } = this.options;
    const now = new V1MicroTime();
    const { lease } = this;
    const isRenewal = lease?.spec?.holderIdentity === holderIdentity;
    const spec = {
      holderIdentity,
      leaseDurationSeconds: Math.max(1, Math.ceil(durationMs / 1000)),
      acquireTime: (isRenewal ? lease?.spec?.acquireTime : undefined) ?? now,
      renewTime: now,
      leaseTransitions: (lease?.spec?.leaseTransitions ?? 0) + transitions,
    };
    const kind = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };
    const soon = this.soon();
    this.lease =
      lease === undefined
        ? await this.api.createNamespacedLease(
            { namespace, body: { ...kind, metadata: { name, namespace }, spec } },
            soon,
          )
        : await this.api.replaceNamespacedLease(
            { name, namespace, body: { ...lease, spec } },
            soon,
          );
  }

  /** A call that takes longer is of no use to who has to renew in time. */
  private soon() {
    return within(this.options.durationMs / 3);
  }

  /** So that the next need not wait; where it fails, the lease runs out by itself. */
  private async release(): Promise<void> {
    this.heldUntilMs = Number.NEGATIVE_INFINITY;
    await this.write("", 0).catch(this.failed);
  }

  private async pause(signal: AbortSignal): Promise<void> {
    const { periodMs } = this.options;
    const waitMs = this.isLeader
      ? Math.min(periodMs, this.heldUntilMs - performance.now())
      : periodMs;
    await sleep(Math.max(1, waitMs), undefined, { signal }).catch(() => {});
  }
}

function recordOf(lease: V1Lease | undefined): LeaseRecord | undefined {
  if (lease === undefined) return undefined;
  return {
    holder: lease.spec?.holderIdentity ?? "",
    resourceVersion: lease.metadata?.resourceVersion ?? "",
  };
}
