import type { KubeConfig } from "@kubernetes/client-node";
import { AGENTS } from "../kubernetes/children/identity.ts";
import { ListWatch, WATCH_OPTIONS } from "./cluster/list-watch.ts";
import { whyOf } from "./cluster/why-of.ts";
import type { ObservedObject } from "./reconcile/observation.ts";
import { isLive } from "./reconcile/pods.ts";
import { RETRY_OPTIONS } from "./work-queue.ts";

/** Of a server that has said nothing for longer, nothing is believed. */
const FRESH_MS = 120_000;
/** How long a pod that was deleted is remembered: longer than its run takes to notice. */
const REMEMBERED_MS = 10 * 60_000;

/** What an agent's pod is asked for. */
export interface Missed {
  agentId: string;
  /** Whether it was ever connected here. */
  wasHere: boolean;
  /** Milliseconds since something was heard of it. */
  silentMs: number;
}

/**
 * Knows which agents' pods are there: a pod never comes back, so an agent that is not heard of
 * and whose pod is gone is lost, whoever else could be asked.
 */
export class PodWatch {
  private readonly pods: ListWatch;
  /** Names of those that were there, and when they were gone. */
  private readonly goneAtMs = new Map<string, number>();

  constructor(
    config: KubeConfig,
    namespace: string,
    failed: (why: string, retryMs: number) => void,
  ) {
    const kind = { apiVersion: "v1", kind: "Pod", plural: "pods", namespace };
    this.pods = new ListWatch(
      config,
      { ...kind, labelSelector: AGENTS, keysOf: ({ metadata }) => [metadata.name] },
      {
        changed: (pod) => this.changed(pod),
        listed: () => {},
        failed: (error, retryMs) => failed(whyOf(error), retryMs),
      },
      { ...WATCH_OPTIONS, ...RETRY_OPTIONS },
    );
  }

  run(): Promise<void> {
    return this.pods.run();
  }

  close(): void {
    this.pods.close();
  }

  /** Why an agent that is not heard of will not come back; undefined if it may. */
  whyGone({ agentId, wasHere, silentMs }: Missed): string | undefined {
    const { pods } = this;
    if (!pods.isComplete || pods.ageMs > FRESH_MS) return undefined;
    const [pod] = pods.objects.having(agentId);
    if (pod !== undefined) return isLive(pod) ? undefined : "its pod has ended";
    // A pod that came to be after the list may be on its way here.
    const isListedSince = !wasHere || pods.listedAtMs > Date.now() - silentMs;
    return this.goneAtMs.has(agentId) || isListedSince ? "its pod is gone" : undefined;
  }

  private changed({ metadata: { name, uid } }: ObservedObject): void {
    const nowMs = Date.now();
    for (const [old, atMs] of this.goneAtMs) {
      if (nowMs - atMs < REMEMBERED_MS) break;
      this.goneAtMs.delete(old);
    }
    if (this.pods.objects.get(uid) === undefined) this.goneAtMs.set(name, nowMs);
    else this.goneAtMs.delete(name);
  }
}
