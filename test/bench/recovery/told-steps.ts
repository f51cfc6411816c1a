import { join } from "node:path";
import { LineFile } from "../../faults/line-file.ts";
import { NUM_RANKS } from "./setting.ts";

/** What `step_lines.py` tells; step 0 is that the rank stands and loads. */
type Told = { attempt: number; step: number; pid: number; atMs: number };

/** The steps of ranks that another system than moestro started, as they tell them. */
export class ToldSteps {
  readonly #ranks: LineFile<Told>[];

  constructor(folder: string) {
    this.#ranks = Array.from(
      { length: NUM_RANKS },
      (_, rank) => new LineFile(join(folder, `rank-${rank}.jsonl`)),
    );
  }

  /** When the last of the ranks had made its first step of the attempt; undefined before. */
  firstStepAtMs(attempt: number): number | undefined {
    const firsts = this.#ranks.map(
      (rank) => rank.read().find((told) => told.attempt === attempt && told.step > 0)?.atMs,
    );
    return firsts.every((atMs) => atMs !== undefined) ? Math.max(...firsts) : undefined;
  }

  /** Steps that every rank has made in the attempt. */
  numSteps(attempt: number): number {
    const counts = this.#ranks.map(
      (rank) => rank.read().filter((told) => told.attempt === attempt && told.step > 0).length,
    );
    return Math.min(...counts);
  }

  pid(rank: number): number {
    const pid = this.#ranks[rank]?.read().at(-1)?.pid;
    if (pid === undefined) throw new Error(`rank ${rank} has told nothing`);
    return pid;
  }
}
