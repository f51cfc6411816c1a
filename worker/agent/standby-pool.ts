import { join } from "node:path";
import { holderOf } from "../../coordinator/store/holder.ts";
import { RankProcess, type RankProcessOptions } from "./rank-process.ts";

/** From the first step of ranks that started to the next import beside them. */
const SETTLE_MS = 5000;
/** Before another try after a process that ended while it imported. */
const FAILED_RETRY_MS = 60_000;

export type StandbyPoolOptions = {
  process: Omit<RankProcessOptions, "logPath" | "standby">;
  /** Processes to keep ready; 0 for none. */
  size: number;
  /** One line for the log. */
  note(line: string): void;
};

/**
 * Python processes that have imported all a rank needs and wait to become one, so that
 * a restart does not pay for imports. They are made one at a time, and never beside
 * ranks that are being started (`Starter` names a group of them): those would wait.
 */
export class StandbyPool<Starter> {
  readonly #options: StandbyPoolOptions;
  readonly #ready: RankProcess[] = [];
  readonly #starting = new Set<Starter>();
  readonly #settling = new Set<Starter>();
  #importing: RankProcess | undefined;
  #retry: NodeJS.Timeout | undefined;
  #numMade = 0;
  #closed = false;

  constructor(options: StandbyPoolOptions) {
    this.#options = options;
    this.#replenish();
  }

  /** Those that could become a rank now. */
  get pids(): number[] {
    return this.#ready.flatMap(({ pid }) => pid ?? []);
  }

  /** A process that is ready, if there is one alive; it belongs to the caller from now on. */
  take(): RankProcess | undefined {
    for (let one = this.#ready.shift(); one; one = this.#ready.shift()) {
      // Its end may not have been heard of yet.
      if (one.isRunning && holderOf(one.pid ?? 0)) return one;
    }
    return undefined;
  }

  /** Ranks are about to start: what imports beside them ends. */
  hold(starter: Starter): void {
    this.#starting.add(starter);
    clearTimeout(this.#retry);
    this.#importing?.kill(0);
    this.#importing = undefined;
  }

  /** The ranks have made a step, or are no more. */
  release(starter: Starter): void {
    if (!this.#starting.has(starter) || this.#settling.has(starter)) return;
    this.#settling.add(starter);
    const settled = () => {
      this.#settling.delete(starter);
      this.#starting.delete(starter);
      this.#replenish();
    };
    setTimeout(settled, SETTLE_MS).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const one of [...this.#ready.splice(0), this.#importing]) one?.kill(0);
  }

  #replenish(): void {
    if (this.#closed || this.#importing || this.#starting.size > 0) return;
    if (this.#ready.length >= this.#options.size) return;
    const { process, note } = this.#options;
    this.#numMade += 1;
    const logPath = join(process.links.directory, `standby-${this.#numMade}.log`);
    const one = new RankProcess({ ...process, logPath, standby: true });
    this.#importing = one;
    void one.link.connected.then(() => {
      if (this.#importing !== one) return;
      this.#importing = undefined;
      this.#ready.push(one);
      const { length } = this.#ready;
      if (length === this.#options.size) note(`${length} processes stand by`);
      this.#replenish();
    });
    void one.ended.then(({ logTail }) => {
      const index = this.#ready.indexOf(one);
      if (index >= 0) {
        this.#ready.splice(index, 1);
        this.#replenish();
      } else if (this.#importing === one && !this.#closed) {
        this.#importing = undefined;
        note(`a standby process did not start: ${logTail.at(-1) ?? "it said nothing"}`);
        this.#retry = setTimeout(() => this.#replenish(), FAILED_RETRY_MS).unref();
      }
    });
  }
}
