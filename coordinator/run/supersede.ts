import { createReadStream, truncateSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { writeError } from "./files.ts";
import { cutTornLine } from "./line-file.ts";
import { LineReader } from "./line-reader.ts";
import { firstLineBehind, newestRecord, parseMetrics, stepOf } from "./metrics-lines.ts";
import type { RunDirectory } from "./run-directory.ts";

const MAY_WRITE_POLL_MS = 100;

/** Steps that were recorded and will be trained again. */
export type Superseded = {
  numSteps: number;
  /** The first of them. */
  first: { step: number; loss: number } | undefined;
};

export const NOTHING_SUPERSEDED: Superseded = { numSteps: 0, first: undefined };

/**
 * Moves the lines of steps behind `lastStep` from metrics.jsonl to the end of
 * metrics.superseded.jsonl: copied and on disk there before they are cut off here. What a
 * crash, or a full disk, leaves half copied is copied on from there the next time, so that
 * each line is there once; if it begins further back by then, whole, so that none is
 * nowhere. `mayWrite` is asked again and again, for copying may take a while.
 */
export async function supersede(
  { metrics, supersededMetrics }: RunDirectory,
  lastStep: number,
  mayWrite: () => boolean,
): Promise<Superseded> {
  const tail = tailBehind(metrics, lastStep);
  if (!tail) return NOTHING_SUPERSEDED;
  try {
    const from = copiedUpTo(metrics, supersededMetrics, tail) ?? tail.from;
    const copy = await open(supersededMetrics, "a");
    try {
      await append(copy, metrics, { from, end: tail.end }, mayWrite);
    } finally {
      await copy.close();
    }
  } catch (error) {
    throw writeError(supersededMetrics, error);
  }
  await until(mayWrite);
  try {
    truncateSync(metrics, tail.from);
  } catch (error) {
    throw writeError(metrics, error);
  }
  const first = parseMetrics(tail.first);
  return {
    numSteps: Math.max(0, tail.lastTold - lastStep),
    first: first && { step: first.step, loss: first.loss },
  };
}

type Tail = { from: number; end: number; first: string; lastTold: number };

/** The lines of steps behind this one; undefined if there are none. */
function tailBehind(metrics: string, lastStep: number): Tail | undefined {
  try {
    return LineReader.read(metrics, (lines) => {
      const line = firstLineBehind(lines, lastStep);
      const lastTold = newestRecord(lines)?.record.step ?? lastStep;
      return line && { from: line.offset, end: lines.end, first: line.text, lastTold };
    });
  } catch (error) {
    // To be read is the first part of being moved.
    throw writeError(metrics, error);
  }
}

/**
 * Cuts off lines at the end that are damaged, or of steps that are there already: two
 * coordinators wrote them, one of which was about to learn that it leads no more.
 */
export function cutBehindNewest(metrics: string): void {
  try {
    const end = LineReader.read(metrics, (lines) => {
      const newest = newestRecord(lines);
      return newest && newest.next < newest.end ? newest.next : undefined;
    });
    if (end !== undefined) truncateSync(metrics, end);
  } catch (error) {
    throw writeError(metrics, error);
  }
}

/** Up to where the tail is copied already; undefined if it is not, from its first line on. */
function copiedUpTo(metrics: string, copies: string, tail: Tail): number | undefined {
  cutTornLine(copies);
  return LineReader.read(copies, (copied) => {
    const last = copied.last?.text;
    const next = last === undefined ? undefined : behindLine(metrics, last);
    if (next === undefined) return undefined;
    const [first] = copied.from(Math.max(0, copied.end - (next - tail.from)));
    return next > tail.from && first?.text === tail.first ? next : undefined;
  });
}

/** Behind where the file has this very line; undefined if it does not. */
function behindLine(metrics: string, text: string): number | undefined {
  const step = stepOf(text);
  if (step === undefined) return undefined;
  return LineReader.read(metrics, (lines) => {
    const same = firstLineBehind(lines, step - 1);
    return same?.text === text ? same.next : undefined;
  });
}

async function append(
  copy: FileHandle,
  path: string,
  { from, end }: { from: number; end: number },
  mayWrite: () => boolean,
): Promise<void> {
  if (from < end) {
    for await (const block of createReadStream(path, { start: from, end: end - 1 })) {
      await until(mayWrite);
      await copy.appendFile(block as Buffer);
    }
  }
  await copy.sync();
}

async function until(mayWrite: () => boolean): Promise<void> {
  while (!mayWrite()) await sleep(MAY_WRITE_POLL_MS);
}
