import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { MoestroError } from "../errors.ts";
import { followFile, followLines } from "./follow-file.ts";
import type { RunDirectory } from "./run-directory.ts";

export type LogRequest = {
  /** -1 for all ranks. */
  rank: number;
  /** 0 for the newest. */
  generation: number;
  follow: boolean;
};

/** Lines of a run's events, oldest first; goes on until the run is over if asked to follow. */
export function readEvents(
  directory: RunDirectory,
  isOver: () => Promise<boolean>,
  signal: AbortSignal,
): AsyncIterable<string> {
  return followLines(directory.events, isOver, signal);
}

/** What ranks of one generation printed. Several are told apart by their numbers. */
export async function* readLogs(
  directory: RunDirectory,
  request: LogRequest,
  isOver: () => Promise<boolean>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const generation = request.generation || newest(directory);
  const folder = directory.logs(generation);
  const ranks = existsSync(folder) ? ranksIn(folder) : [];
  if (request.rank >= 0) {
    if (!ranks.includes(request.rank)) throw noLog(directory, generation, request.rank, ranks);
    yield* followFile(logOf(folder, request.rank), isOver, signal);
    return;
  }
  if (ranks.length === 0) throw noLog(directory, generation, 0, ranks);
  const streams = ranks.map((rank) => ({
    rank,
    lines: followLines(logOf(folder, rank), isOver, signal)[Symbol.asyncIterator](),
  }));
  yield* interleaved(streams);
}

type RankLines = { rank: number; lines: AsyncIterator<string> };

/** Whatever line comes next, with its rank in front. */
async function* interleaved(streams: readonly RankLines[]): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  const pull = async (stream: RankLines) => ({ stream, next: await stream.lines.next() });
  const pending = new Map(streams.map((stream) => [stream, pull(stream)]));
  while (pending.size > 0) {
    const { stream, next } = await Promise.race(pending.values());
    if (next.done) {
      pending.delete(stream);
      continue;
    }
    pending.set(stream, pull(stream));
    yield encoder.encode(`rank ${stream.rank} | ${next.value}\n`);
  }
}

function logOf(folder: string, rank: number): string {
  return join(folder, `rank-${rank}.log`);
}

function ranksIn(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => /^rank-(\d+)\.log$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function newest(directory: RunDirectory): number {
  const folder = join(directory.path, "logs");
  if (!existsSync(folder)) return 1;
  const numbers = readdirSync(folder).flatMap((name) => /^generation-(\d+)$/.exec(name)?.[1] ?? []);
  return Math.max(1, ...numbers.map(Number));
}

function noLog(
  directory: RunDirectory,
  generation: number,
  rank: number,
  ranks: readonly number[],
): MoestroError {
  const has = ranks.length > 0 ? `it has ranks 0 to ${ranks.at(-1)}` : "none of its ranks has one";
  return new MoestroError(
    "not_found",
    `${directory.logs(generation)}: holds no log of rank ${rank}; ${has}`,
  );
}
