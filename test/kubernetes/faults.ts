/** Which requests a fault is for; what is left out matches all. */
export type Requests = { verb?: string; resource?: string };

type Failure = Requests & {
  code: number;
  message: string;
  retryAfterSeconds?: number;
  /** Requests that are let through before. */
  after: number;
  times: number;
  untilMs: number;
};

/**
 * What a test makes go wrong, and what it counts. Resources are named `jobs.batch`, with a
 * subresource `pods/log`.
 */
export class Faults {
  private readonly counts = new Map<string, number>();
  private failures: Failure[] = [];
  private delays: (Requests & { delayMs: number; untilMs: number })[] = [];
  private readonly watches = new Set<{ resource: string; drop: () => void }>();
  private awayUntilMs = 0;
  /** Breaks the server's connections; the server sets it. */
  breakConnections: () => void = () => {};
  /** Watches stay open and say nothing: no events, no bookmarks. */
  areWatchesSilent = false;

  /** Ends the watches that are open, as a server that restarts would; gives back how many. */
  dropWatches(resource?: string): number {
    const chosen = [...this.watches].filter(
      (watch) => resource === undefined || watch.resource === resource,
    );
    for (const watch of chosen) watch.drop();
    return chosen.length;
  }

  /** Answers the next `times` requests `after` some, or those of `forMs`, with an error. */
  fail(
    requests: Requests,
    failure: {
      code: number;
      message?: string;
      retryAfterSeconds?: number;
      after?: number;
      times?: number;
      forMs?: number;
    },
  ): void {
    const { code, message = "a test made this fail", times, forMs, retryAfterSeconds } = failure;
    this.failures.push({
      ...requests,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      code,
      message,
      after: failure.after ?? 0,
      times: times ?? (forMs === undefined ? 1 : Number.POSITIVE_INFINITY),
      untilMs: forMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + forMs,
    });
  }

  /** Answers later. */
  delay(requests: Requests, delayMs: number, forMs = Number.POSITIVE_INFINITY): void {
    this.delays.push({ ...requests, delayMs, untilMs: Date.now() + forMs });
  }

  /** Breaks every connection, and each new one, for a time. */
  goAway(forMs: number): void {
    this.awayUntilMs = Date.now() + forMs;
    this.breakConnections();
  }

  /** Ends what `fail`, `delay`, `goAway` and silence began. */
  recover(): void {
    this.failures = [];
    this.delays = [];
    this.awayUntilMs = 0;
    this.areWatchesSilent = false;
  }

  get isAway(): boolean {
    return Date.now() < this.awayUntilMs;
  }

  /** Requests so far by `verb resource`, such as `list pods`. */
  get numRequests(): ReadonlyMap<string, number> {
    return this.counts;
  }

  totalRequests(requests: Requests = {}): number {
    return [...this.counts].reduce((sum, [name, count]) => {
      const [verb = "", resource = ""] = name.split(" ");
      return sum + (isFor(requests, verb, resource) ? count : 0);
    }, 0);
  }

  resetCounts(): void {
    this.counts.clear();
  }

  count(verb: string, resource: string): void {
    const name = `${verb} ${resource}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  delayOf(verb: string, resource: string): number {
    const now = Date.now();
    const all = this.delays.filter((delay) => now < delay.untilMs && isFor(delay, verb, resource));
    return Math.max(0, ...all.map(({ delayMs }) => delayMs));
  }

  takeFailure(verb: string, resource: string): Failure | undefined {
    const now = Date.now();
    const failure = this.failures.find(
      (each) => each.times > 0 && now < each.untilMs && isFor(each, verb, resource),
    );
    if (failure && failure.after > 0) {
      failure.after -= 1;
      return undefined;
    }
    if (failure) failure.times -= 1;
    return failure;
  }

  addWatch(watch: { resource: string; drop: () => void }): () => void {
    this.watches.add(watch);
    return () => this.watches.delete(watch);
  }
}

function isFor(requests: Requests, verb: string, resource: string): boolean {
  return (requests.verb ?? verb) === verb && (requests.resource ?? resource) === resource;
}
