import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { TextDecoder } from "node:util";
import { readFrom } from "./follow-file.ts";

type Position = { offset: number; decoder: TextDecoder; rest: string };

/** The logs of one generation's ranks as they grow: of one rank its bytes, of all their lines. */
export class RankLogs {
  readonly #folder: string;
  readonly #rank: number;
  readonly #positions = new Map<number, Position>();
  readonly #encoder = new TextEncoder();

  /** `rank`: -1 for all. */
  constructor(folder: string, rank: number) {
    this.#folder = folder;
    this.#rank = rank;
  }

  /** Whether there was a log of what is asked for. */
  get hasAny(): boolean {
    return this.#positions.size > 0;
  }

  /** What was written since the last time, a part of each rank's in turn. */
  async *news(): AsyncIterable<Uint8Array> {
    const ranks = await ranksIn(this.#folder);
    let growing = this.#rank < 0 ? ranks : ranks.filter((rank) => rank === this.#rank);
    while (growing.length > 0) {
      const read: number[] = [];
      for (const rank of growing) {
        const chunk = await this.#read(rank);
        if (chunk.length === 0) continue;
        read.push(rank);
        yield this.#rank < 0 ? this.#lines(rank, chunk) : chunk;
      }
      growing = read;
    }
  }

  /** Last lines that have no end. */
  *rest(): Iterable<Uint8Array> {
    for (const [rank, { rest }] of this.#positions) {
      if (rest !== "") yield this.#encoder.encode(withRank(rank, rest));
    }
  }

  async #read(rank: number): Promise<Uint8Array> {
    const position = this.#position(rank);
    const chunk = await readFrom(join(this.#folder, `rank-${rank}.log`), position.offset);
    position.offset += chunk.length;
    return chunk;
  }

  /** The whole lines that the chunk ends. */
  #lines(rank: number, chunk: Uint8Array): Uint8Array {
    const position = this.#position(rank);
    const text = position.rest + position.decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    position.rest = lines.pop() ?? "";
    return this.#encoder.encode(lines.map((line) => withRank(rank, line)).join(""));
  }

  #position(rank: number): Position {
    const found = this.#positions.get(rank);
    if (found) return found;
    const position = { offset: 0, decoder: new TextDecoder(), rest: "" };
    this.#positions.set(rank, position);
    return position;
  }
}

/** Ranks that have a log in the folder, ascending. */
export async function ranksIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .flatMap((name) => /^rank-(\d+)\.log$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function withRank(rank: number, line: string): string {
  return `rank ${rank} | ${line}\n`;
}
