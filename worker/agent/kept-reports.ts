import type { AgentMessage } from "./coordinator-stream.ts";
import { joinKept, type Kept, mayJoin, type Rule, sizeOf, stepOf } from "./join-kept.ts";

const MAX_KEPT_BYTES = 64 * 1024 * 1024;
/** Room is made in larger portions, not a report at a time. */
const ROOM_TO_MAKE = 1 / 8;

/** From the harmless to the last resort. */
const RULES: readonly Rule[] = [{}, { sent: true }, { sent: true, overCheckpoints: true }];

/** What one group has to tell, in order; the first `numSent` went over this connection. */
type Queue = { items: Kept[]; numSent: number };

/**
 * What the coordinator has not acknowledged of the groups on this node, in the order in
 * which it was told: steps, checkpoints, and what comes in between. Pure. Over the bound
 * the oldest step reports are joined, two into one and again, into windows that end at
 * multiples of a power of two, so that agents that join for themselves still have ends in
 * common. Nothing else is ever given up. `Group` is whatever names a group.
 */
export class KeptReports<Group> {
  readonly #queues = new Map<Group, Queue>();
  readonly #maxBytes: number;
  #numBytes = 0;

  constructor(maxBytes = MAX_KEPT_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get numBytes(): number {
    return this.#numBytes;
  }

  add(group: Group, message: AgentMessage): void {
    const queue = this.#queues.get(group) ?? { items: [], numSent: 0 };
    this.#queues.set(group, queue);
    const kept = { message, sizeBytes: sizeOf(message), everSent: false };
    queue.items.push(kept);
    this.#numBytes += kept.sizeBytes;
    if (this.#numBytes > this.#maxBytes) this.#makeRoom();
  }

  /** What is kept of a group, in order. */
  of(group: Group): AgentMessage[] {
    return this.#queues.get(group)?.items.map(({ message }) => message) ?? [];
  }

  /** Whether reports of steps or checkpoints are kept, or anything that is told behind them. */
  hasReports(group: Group): boolean {
    return (
      this.#queues.get(group)?.items.some(({ message }) => message.case !== "rankExited") ?? false
    );
  }

  /** What to send next, and marks it as sent; undefined if all of it is. */
  next(): { group: Group; message: AgentMessage } | undefined {
    for (const [group, queue] of this.#queues) {
      const item = queue.items[queue.numSent];
      if (!item) continue;
      item.everSent = true;
      queue.numSent += 1;
      return { group, message: item.message };
    }
    return undefined;
  }

  /** A new connection: all is to be sent again. */
  rewind(): void {
    for (const queue of this.#queues.values()) queue.numSent = 0;
  }

  /** The coordinator has written down steps and checkpoints up to these. */
  acknowledge(group: Group, step: bigint, checkpointStep: bigint): void {
    const queue = this.#queues.get(group);
    if (!queue) return;
    const isDone = ({ message }: Kept) =>
      (message.case === "step" && message.value.step <= step) ||
      (message.case === "checkpoint" && message.value.step <= checkpointStep);
    queue.numSent -= queue.items.slice(0, queue.numSent).filter(isDone).length;
    queue.items = queue.items.filter((item) => !isDone(item));
    this.#count();
  }

  forget(group: Group): void {
    this.#queues.delete(group);
    this.#count();
  }

  #count(): void {
    this.#numBytes = 0;
    for (const { items } of this.#queues.values()) {
      for (const { sizeBytes } of items) this.#numBytes += sizeBytes;
    }
  }

  #makeRoom(): void {
    const target = this.#maxBytes * (1 - ROOM_TO_MAKE);
    // What went out may have been written down in part: joined with what follows, it
    // would count twice. And no window reaches over a checkpoint, before which the
    // coordinator must know each step. Both hold as long as the bound allows.
    for (const rule of RULES) {
      for (const queue of this.#largestFirst()) {
        const end = queue.items.reduce((most, item) => max(most, stepOf(item)), 0n);
        for (let window = 2n; window < 2n * end; window *= 2n) {
          this.#join(queue, window, rule, target);
          if (this.#numBytes <= target) return;
        }
      }
    }
  }

  #largestFirst(): Queue[] {
    const size = ({ items }: Queue) => items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return [...this.#queues.values()].sort((a, b) => size(b) - size(a));
  }

  /** Joins reports of the same window, the oldest first, until `target` is reached. */
  #join(queue: Queue, window: bigint, rule: Rule, target: number): void {
    const joined: Kept[] = [];
    /** Where in `joined` the report lies that the next one may join. */
    let open = -1;
    for (const item of queue.items) {
      const before = joined[open];
      if (item.message.case !== "step") {
        if (!rule.overCheckpoints) open = -1;
        joined.push(item);
        continue;
      }
      if (before && this.#numBytes > target && mayJoin(before, item, window, rule)) {
        const both = joinKept(before, item);
        this.#numBytes += both.sizeBytes - before.sizeBytes - item.sizeBytes;
        joined.splice(open, 1);
        joined.push(both);
        // Of two that went over this connection one is left, and of one and none, none.
        if (open < queue.numSent) queue.numSent -= 1;
      } else joined.push(item);
      open = joined.length - 1;
    }
    queue.items = joined;
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
