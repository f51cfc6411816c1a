import type { EventRecord, SummaryRecord } from "../report/records.ts";
import { type WriteError, writeAtomically } from "./files.ts";
import { LineFile } from "./line-file.ts";
import type { RunDirectory } from "./run-directory.ts";
import { StepRecords } from "./step-records.ts";
import { WriteQueue } from "./write-queue.ts";

export type RecorderOptions = {
  directory: RunDirectory;
  /** Steps between checkpoints; 0 for none but the last. */
  checkpointEverySteps: number;
  /** Whether this coordinator certainly leads: another one may write the records by now. */
  leads(): boolean;
  /** Records wait to be written, for this reason. */
  stuck(error: WriteError): void;
  /** All of them are written. */
  unstuck(): void;
};

/**
 * Writes what a run leaves for people and programs: steps, events, summary, and whatever
 * else is to be on the coordinator's disk. A disk that does not take it holds no run up:
 * what is to be written waits, in order, until it is taken.
 */
export class Recorder {
  readonly steps: StepRecords;
  readonly #options: RecorderOptions;
  readonly #eventsFile: LineFile;
  /** Queues of their own: what one file's disk does not take holds up no other file. */
  readonly #files: WriteQueue;
  readonly #events: WriteQueue;
  #isStuck = false;
  #isClosed = false;

  constructor(options: RecorderOptions) {
    const { directory, checkpointEverySteps, leads: mayWrite } = options;
    this.#options = options;
    const told = {
      mayWrite,
      stuck: (error: WriteError) => this.#tell(error),
      unstuck: () => this.#tell(this.problem),
    };
    this.steps = new StepRecords(directory, checkpointEverySteps, told);
    this.#files = new WriteQueue(told);
    this.#events = new WriteQueue(told);
    this.#eventsFile = new LineFile(directory.events);
  }

  /** Why records wait to be written; undefined if they do not. */
  get problem(): WriteError | undefined {
    return this.#queues.find(({ problem }) => problem)?.problem;
  }

  event(record: EventRecord): void {
    // Events come from timers and signals too, where nobody could take a failure.
    if (this.#events.end) return;
    this.#events.add({ run: () => this.#eventsFile.append(record) });
  }

  summary(record: SummaryRecord): void {
    const content = `${JSON.stringify(record, null, 2)}\n`;
    this.write(() => writeAtomically(this.#options.directory.summary, content));
  }

  /** Whatever else is to be written, in its turn: throws WriteError where it is to be tried again. */
  write(run: () => void): void {
    this.#files.add({ run });
  }

  /** Settles once all so far is written, steps to the disk itself; rejects if that is given up. */
  async written(): Promise<void> {
    this.steps.sync();
    for (const queue of this.#queues) await queue.drained();
  }

  /** What cannot be written just now is not waited for any more, nor what follows it there. */
  giveUp(): void {
    for (const queue of this.#queues) if (queue.problem) queue.close(queue.problem);
  }

  /** Nothing more is written here: it may be another coordinator's. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const reason = new Error("the records are closed");
    this.steps.close(reason);
    this.#files.close(reason);
    this.#events.close(reason);
    this.#eventsFile.close();
  }

  /** Events last, which tell of what was written. */
  get #queues(): readonly WriteQueue[] {
    return [this.#files, this.steps.queue, this.#events];
  }

  /** One line for a full disk, whatever lies on it. */
  #tell(problem: WriteError | undefined): void {
    const wasStuck = this.#isStuck;
    this.#isStuck = problem !== undefined;
    if (problem && !wasStuck) this.#options.stuck(problem);
    if (!problem && wasStuck) this.#options.unstuck();
  }
}
