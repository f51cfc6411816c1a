import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MoestroError } from "../errors.ts";
import { RankLogs, ranksIn } from "./rank-logs.ts";
import type { RunDirectory } from "./run-directory.ts";

export type LogRequest = {
  /** -1 for all ranks. */
  rank: number;
  /** 0 for the newest. */
  generation: number;
  follow: boolean;
};

export type LogChunk = { generation: number; chunk: Uint8Array };

const POLL_MS = 200;
/** Thousands of ranks are looked at less often: looking takes about this part of the time. */
const SHARE_OF_TIME = 0.1;
/** Whoever reads slowly, or pauses, need not wait longer for what is new. */
const LONGEST_PAUSE_MS = 3000;

/**
 * What ranks of one generation printed; asked to follow also what they print until
 * `isOver`, and after them those of the generations to come. Several ranks are told apart
 * by their numbers. An empty chunk begins each generation. Throws
 * MoestroError("not_found") at the end if there was no log.
 */
export async function* followLogs(
  directory: RunDirectory,
  request: LogRequest,
  isOver: () => Promise<boolean>,
  signal: AbortSignal,
): AsyncIterable<LogChunk> {
  let generation = request.generation || ((await generations(directory)).at(-1) ?? 1);
  let logs = new RankLogs(directory.logs(generation), request.rank);
  let hasAny = false;
  yield { generation, chunk: new Uint8Array() };
  while (!signal.aborted) {
    const askedAtMs = performance.now();
    // Both asked before the last look, so that nothing written before the end is missed.
    const over = await isOver();
    const next = request.follow ? await after(directory, generation) : undefined;
    for await (const chunk of logs.news()) {
      yield { generation, chunk };
      if (signal.aborted) return;
    }
    hasAny ||= logs.hasAny;
    const tookMs = performance.now() - askedAtMs;
    if (next === undefined && !over) {
      const pauseMs = Math.min(Math.max(POLL_MS, tookMs / SHARE_OF_TIME), LONGEST_PAUSE_MS);
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
      continue;
    }
    for (const chunk of logs.rest()) yield { generation, chunk };
    if (next === undefined) break;
    generation = next;
    logs = new RankLogs(directory.logs(generation), request.rank);
    yield { generation, chunk: new Uint8Array() };
  }
  if (!hasAny && !signal.aborted) throw await noLog(directory, generation, request.rank);
}

/** Numbers of the generations that have logs, ascending. */
async function generations(directory: RunDirectory): Promise<number[]> {
  const names = await readdir(join(directory.path, "logs")).catch(() => []);
  const numbers = names.flatMap((name) => /^generation-(\d+)$/.exec(name)?.[1] ?? []);
  return numbers.map(Number).sort((a, b) => a - b);
}

async function after(directory: RunDirectory, generation: number): Promise<number | undefined> {
  return (await generations(directory)).find((one) => one > generation);
}

async function noLog(
  directory: RunDirectory,
  generation: number,
  rank: number,
): Promise<MoestroError> {
  const folder = directory.logs(generation);
  const ranks = await ranksIn(folder);
  const has = ranks.length > 0 ? `it has ranks 0 to ${ranks.at(-1)}` : "none of its ranks has one";
  return new MoestroError(
    "not_found",
    `${folder}: holds no log of rank ${Math.max(0, rank)}; ${has}`,
  );
}
