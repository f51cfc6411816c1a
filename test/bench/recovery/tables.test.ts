import assert from "node:assert/strict";
import { test } from "node:test";
import { boundLine, bounds } from "./bounds.ts";
import { type Measured, stagesTable, timesTable } from "./tables.ts";

const measured: Measured = new Map([
  [
    "moestro",
    new Map([
      [0, { start: 1000, detect: 300, recover: 2000, stages: { detect: 100, load: 1900 } }],
      [1, { start: 1200, detect: 500, recover: 3000, stages: { detect: 300, load: 2700 } }],
      [2, { start: 1100, detect: 400, recover: 2500, stages: { detect: 200, load: 2300 } }],
    ]),
  ],
  ["moestro train", new Map([[0, { start: 9000 }]])],
  [
    "torchrun",
    new Map([
      [0, { start: 8000, detect: 200, recover: 8000 }],
      [1, { start: 8000, detect: 200, recover: 10_000 }],
    ]),
  ],
]);

test("a system's line has its medians and the ratios of the rounds that torchrun shares", () => {
  const [heading = "", moestro = "", train = "", torchrun = ""] = timesTable(measured);
  assert.match(heading, /start → first step/);
  assert.match(moestro, /0\.40 s \(0\.30 to 0\.50\)/);
  assert.match(moestro, /2\.50 s \(2\.00 to 3\.00\), ratio 0\.275 \(0\.250 to 0\.300\)/);
  assert.match(train, /9\.00 s .* –/);
  assert.doesNotMatch(torchrun, /ratio/);
});

test("stages are those of the systems that tell them", () => {
  const lines = stagesTable(measured);
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? "", /moestro +0\.20 s +2\.30 s/);
});

test("a bound against a system that was not there is no bound", () => {
  const lines = bounds(measured).map(boundLine);
  assert.deepEqual(lines, [
    "detection of a dead process: 0.40 s, at most 0.5 s: kept",
    "recovery beside torchrun's: 0.28 ×, at most 0.5 ×: kept",
    "start on a cluster beside torchrun's: 0.14 ×, at most 1 ×: kept",
    "start of moestro train beside torchrun's: 1.13 ×, at most 1 ×: MISSED",
  ]);
});
