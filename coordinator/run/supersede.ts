import { createReadStream, truncateSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { writeError } from "./files.ts";
import { cutTornLine } from "./line-file.ts";
import { LineReader } from "./line-reader.ts";
import { firstLineBehind, parseMetrics, stepOf } from "./metrics-lines.ts";
import type { RunDirectory } from "./run-directory.ts";

const MAY_CUT_POLL_MS = 100;

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
 * each line is there once. `mayCut` is asked last, for copying may take a while.
 */
export async function supersede(
  { metrics, supersededMetrics }: RunDirectory,
  lastStep: number,
  mayCut: () => boolean,
): Promise<Superseded> {
  const tail = LineReader.read(metrics, (lines) => {
    const line = firstLineBehind(lines, lastStep);
    return line && { from: line.offset, end: lines.end, first: line.text, last: lines.last?.text };
  });
  if (!tail) return NOTHING_SUPERSEDED;
  try {
    const from = copiedUpTo(metrics, supersededMetrics, lastStep) ?? tail.from;
    const copy = await open(supersededMetrics, "a");
    try {
      await append(copy, metrics, from, tail.end);
    } finally {
      await copy.close();
    }
  } catch (error) {
    throw writeError(supersededMetrics, error);
  }
  while (!mayCut()) await sleep(MAY_CUT_POLL_MS);
  try {
    truncateSync(metrics, tail.from);
  } catch (error) {
    throw writeError(metrics, error);
  }
  const first = parseMetrics(tail.first);
  return {
    numSteps: stepOf(tail.last ?? "") - lastStep,
    first: first && { step: first.step, loss: first.loss },
  };
}

/** Up to where lines behind `lastStep` are copied already; undefined if none are. */
function copiedUpTo(metrics: string, copies: string, lastStep: number): number | undefined {
  cutTornLine(copies);
  const copied = LineReader.read(copies, (lines) => lines.last?.text);
  if (copied === undefined || stepOf(copied) <= lastStep) return undefined;
  return LineReader.read(metrics, (lines) => {
    const same = firstLineBehind(lines, stepOf(copied) - 1);
    return same?.text === copied ? same.next : undefined;
  });
}

async function append(copy: FileHandle, path: string, start: number, end: number): Promise<void> {
  if (start < end) {
    for await (const block of createReadStream(path, { start, end: end - 1 })) {
      await copy.appendFile(block as Buffer);
    }
  }
  await copy.sync();
}
