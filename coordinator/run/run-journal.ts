import type { RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import type { EventRecord, MetricsRecord } from "../report/records.ts";
import type { WriteError } from "./files.ts";
import type { Recorder } from "./recorder.ts";
import { canTransition, isEnded, type RunState } from "./run-state.ts";
import { describeWait, type RunFacts, runStatus } from "./run-status.ts";

/** Whoever shows a run to people or programs. */
export type RunObserver = {
  /** What is known has changed: whoever wants a status of it asks for one. */
  changed?(): void;
  /** The same with the status, which takes a while to make of thousands of ranks. */
  status?(status: RunStatus): void;
  step(record: MetricsRecord): void;
  event(record: EventRecord): void;
};

export type RunJournalOptions = {
  recorder: Recorder;
  observer: RunObserver;
  facts: RunFacts;
  /** Whether this coordinator certainly leads: another one may write the events by now. */
  leads(): boolean;
  /** Stores a change of state. */
  stateChanged(state: RunState, reason: string): Promise<void>;
};

/** What is known of a run across its generations: its state and why, its events, its status. */
export class RunJournal {
  readonly #options: RunJournalOptions;
  #facts: RunFacts;
  /** Of what is known now; made when it is asked for. */
  #status: RunStatus | undefined;
  #stored: Promise<void> = Promise.resolve();

  constructor(options: RunJournalOptions) {
    this.#options = options;
    this.#facts = options.facts;
  }

  get state(): RunState {
    return this.#facts.state;
  }

  get facts(): RunFacts {
    return this.#facts;
  }

  isEnded(): boolean {
    return isEnded(this.state);
  }

  status(): RunStatus {
    this.#status ??= runStatus(this.#facts);
    return this.#status;
  }

  /** Settles when all changes of state so far are stored; rejects if the last could not be. */
  get stored(): Promise<void> {
    return this.#stored;
  }

  setState(state: RunState, reason: string, details: Record<string, unknown> = {}): void {
    if (state !== this.state && !canTransition(this.state, state)) {
      throw new Error(`a run cannot go from ${this.state} to ${state}`);
    }
    // One failure must not keep later states from being stored.
    this.#stored = this.#stored
      .catch(() => {})
      .then(() => this.#options.stateChanged(state, reason));
    // Whoever awaits `stored` hears of a failure; until then it is not an orphan.
    this.#stored.catch(() => {});
    this.update({ state, reason });
    this.event(`run.${state}`, reason, details);
  }

  /** Changes what is known, and shows it. */
  update(change: Partial<RunFacts>): void {
    this.#facts = { ...this.#facts, ...change };
    this.#status = undefined;
    const { observer } = this.#options;
    observer.changed?.();
    if (observer.status) observer.status(this.status());
  }

  /** A step was made; it is recorded by whoever tells of it. */
  step(record: MetricsRecord, change: Partial<RunFacts>): void {
    this.update({ ...change, last: record });
    this.#options.observer.step(record);
  }

  event(event: string, message: string, details: Record<string, unknown> = {}): void {
    if (!this.#options.leads()) return;
    const record = { time: new Date().toISOString(), event, message, ...details };
    this.#options.observer.event(record);
    this.#options.recorder.event(record);
  }

  /** Nothing can be recorded just now: the run goes on, and its status says so. */
  recordsWait(error: WriteError): void {
    this.update({ recordsWait: error });
    this.event("records.waiting", describeWait(error, this.state));
  }

  recordsWritten(): void {
    this.update({ recordsWait: undefined });
    this.event("records.written", "what waited to be recorded is recorded");
  }
}
