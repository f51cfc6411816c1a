import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { retryMs } from "../../retry.ts";
import { digest } from "../reconcile/applied-mark.ts";

/** So often the same is said again of a child at once: somebody may edit it now and then. */
const NUM_AT_ONCE = 3;
/** Then after a time that doubles, each time. */
const WAITS = { firstMs: 60_000, mostMs: 15 * 60_000, random: () => 1 };
/** Nobody has changed it for so long. */
const FORGOTTEN_MS = 2 * WAITS.mostMs;

interface Said {
  content: string;
  numTimes: number;
  atMs: number;
}

/**
 * What was said of children again, because others had changed it. Others that change it each time,
 * as a controller does, are not fought: what they change is put right less and less often.
 */
export class SaidAgain {
  private readonly now: () => number;
  private readonly known = new Map<string, Said>();

  constructor(now: () => number) {
    this.now = now;
  }

  /** Whether the same was said too often to be said again already. */
  isTooSoon(child: KubernetesObject): boolean {
    const known = this.known.get(keyOf(child));
    if (known === undefined || known.content !== digest(child)) return false;
    const { numTimes, atMs } = known;
    const waitMs = numTimes < NUM_AT_ONCE ? 0 : retryMs(numTimes - NUM_AT_ONCE + 1, WAITS);
    return this.now() < atMs + waitMs;
  }

  hasSaid(child: KubernetesObject): void {
    const [key, content, atMs] = [keyOf(child), digest(child), this.now()];
    this.forget(atMs);
    const before = this.known.get(key);
    // The newest last.
    this.known.delete(key);
    const numTimes = before?.content === content ? before.numTimes + 1 : 1;
    this.known.set(key, { content, numTimes, atMs });
  }

  private forget(nowMs: number): void {
    for (const [key, { atMs }] of this.known) {
      if (nowMs < atMs + FORGOTTEN_MS) return;
      this.known.delete(key);
    }
  }
}

function keyOf({ kind, metadata: { name, namespace = "" } }: KubernetesObject): string {
  return [kind, namespace, name].join("/");
}
