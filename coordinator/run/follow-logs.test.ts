import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../test/faults/patience.ts";
import { followLogs, type LogRequest } from "./follow-logs.ts";
import { RunDirectory } from "./run-directory.ts";

const folder = mkdtempSync(join(tmpdir(), "moestro-logs-"));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

function newRun() {
  const directory = new RunDirectory(join(folder, `run-${++count}`));
  return {
    directory,
    print(generation: number, rank: number, text: string) {
      mkdirSync(directory.logs(generation), { recursive: true });
      appendFileSync(join(directory.logs(generation), `rank-${rank}.log`), text);
    },
  };
}

/** Reads along; `text` is what came so far, `begun` the generations that it is of. */
function reading(
  directory: RunDirectory,
  request: Partial<LogRequest>,
  isOver = async () => !request.follow,
) {
  const reader = { text: "", begun: [] as number[], ended: Promise.resolve() };
  reader.ended = (async () => {
    const wanted = { rank: -1, generation: 0, follow: false, ...request };
    const { signal } = new AbortController();
    const decoder = new TextDecoder();
    for await (const { generation, chunk } of followLogs(directory, wanted, isOver, signal)) {
      if (generation !== reader.begun.at(-1)) reader.begun.push(generation);
      reader.text += decoder.decode(chunk, { stream: true });
    }
  })();
  return reader;
}

test("what all ranks printed has their numbers, a last line without an end too", async () => {
  const { directory, print } = newRun();
  print(1, 0, "old\n");
  print(2, 0, "a\nb\n");
  print(2, 11, "ä\nunfinished");
  const reader = reading(directory, {});
  await reader.ended;
  assert.equal(reader.text, "rank 0 | a\nrank 0 | b\nrank 11 | ä\nrank 11 | unfinished\n");
  assert.deepEqual(reader.begun, [2]);
});

test("one rank's bytes are as it wrote them, of the generation that is asked for", async () => {
  const { directory, print } = newRun();
  const long = `${"x".repeat(200_000)}\nunfinished`;
  print(1, 1, long);
  print(2, 1, "new\n");
  const reader = reading(directory, { rank: 1, generation: 1 });
  await reader.ended;
  assert.equal(reader.text, long);
});

test("who follows a run sees its ranks start again, and everything of the ones before", async () => {
  const { directory, print } = newRun();
  let isOver = false;
  print(1, 0, "one\n");
  const reader = reading(directory, { follow: true }, async () => isOver);
  await until("what is printed is shown", () => reader.text !== "");
  print(1, 1, "a rank that is late\n");
  print(1, 0, "its last words");
  print(3, 0, "three\n");
  await until("what is printed is shown", () => reader.text.includes("three"));
  print(3, 0, "more\n");
  isOver = true;
  await reader.ended;
  assert.deepEqual(reader.text.split("\n"), [
    ...["rank 0 | one", "rank 1 | a rank that is late", "rank 0 | its last words"],
    ...["rank 0 | three", "rank 0 | more", ""],
  ]);
  assert.deepEqual(reader.begun, [1, 3]);
});

test("who follows a rank waits for it, where the run has yet to start and where it is too small", async () => {
  const { directory, print } = newRun();
  let isOver = false;
  const reader = reading(directory, { rank: 1, follow: true }, async () => isOver);
  await sleep(20);
  print(1, 0, "no\n");
  print(1, 1, "one\n");
  await until("what is printed is shown", () => reader.text === "one\n");
  print(2, 0, "no\n");
  await until("what is printed is shown", () => reader.begun.includes(2));
  print(3, 1, "three\n");
  await until("what is printed is shown", () => reader.text === "one\nthree\n");
  isOver = true;
  await reader.ended;
});

test("thousands of ranks cost a run's coordinator one look at a time", async () => {
  const { directory, print } = newRun();
  for (let rank = 0; rank < 2000; rank += 1) print(1, rank, "x\n");
  let asked = 0;
  const reader = reading(directory, { follow: true }, async () => ++asked > 2);
  await reader.ended;
  assert.equal(reader.text.split("\n").length, 2001);
  assert.equal(asked, 3);
});

test("a rank that has no log is told with those that have one", async () => {
  const { directory, print } = newRun();
  await assert.rejects(reading(directory, {}).ended, /none of its ranks has one$/);
  print(1, 0, "x\n");
  print(1, 1, "x\n");
  await assert.rejects(reading(directory, { rank: 2 }).ended, {
    code: "not_found",
    message: /generation-1: holds no log of rank 2; it has ranks 0 to 1$/,
  });
});
