import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EngineJobSchema } from "../../proto/gen/moestro/v1/job_pb.js";
import { LayoutSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { CheckpointShardsSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import { CheckpointLedger } from "./ledger.ts";

let directory: string;
let ledger: CheckpointLedger;
const ignore = () => {};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "moestro-ledger-"));
  ledger = new CheckpointLedger(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Writes one shard as a rank would; the ledger has not heard of it. */
function writeShard(step: number, text = `weights of step ${step}`) {
  mkdirSync(ledger.folder(step), { recursive: true });
  writeFileSync(join(ledger.folder(step), "shard"), text);
  const sha256 = createHash("sha256").update(text).digest("hex");
  return create(CheckpointShardsSchema, {
    step: BigInt(step),
    numRanks: 1,
    files: [{ name: "shard", sizeBytes: BigInt(text.length), sha256 }],
    dataPosition: BigInt(step * 8),
  });
}

function commit(step: number) {
  return ledger.commit({
    runId: "r",
    generation: 1,
    step,
    shards: writeShard(step),
    layout: create(LayoutSchema, { tensorParallel: 2 }),
    job: create(EngineJobSchema, { model: { numLayers: 6 }, moe: { numExperts: 8 } }),
    sourceHash: "abc",
    controller: { lastStep: step, scheduled: [{ effectiveStep: step + 1, values: [0.1 + 0.2] }] },
    committedAt: "2026-01-01T00:00:00.000Z",
  });
}

test("a manifest comes back as it was committed, numbers bit for bit", async () => {
  const committed = commit(7);
  assert.deepEqual((await ledger.newest(ignore))?.manifest, committed.manifest);
});

test("shards without a manifest do not count", async () => {
  commit(5);
  writeShard(10);
  assert.equal((await ledger.newest(ignore))?.manifest.step, 5);
});

test("a folder that was never committed to has no newest checkpoint", async () => {
  assert.equal(await ledger.newest(ignore), undefined);
});

const DAMAGES: [what: string, harm: (folder: string) => void, told: RegExp][] = [
  ["a truncated shard", (folder) => truncateSync(join(folder, "shard"), 3), /has 3 bytes/],
  [
    "a flipped byte",
    (folder) => {
      const path = join(folder, "shard");
      writeFileSync(path, readFileSync(path, "utf8").replace("w", "W"));
    },
    /checksum/,
  ],
  ["a missing shard", (folder) => rmSync(join(folder, "shard")), /missing/],
  [
    "a flipped bit in the manifest",
    (folder) => {
      const path = join(folder, "manifest.json");
      writeFileSync(path, readFileSync(path, "utf8").replace('"lastStep": 10', '"lastStep": 11'));
    },
    /manifest is damaged/,
  ],
  [
    "a flipped bit in the number of the manifest's format",
    (folder) => {
      const path = join(folder, "manifest.json");
      const text = readFileSync(path, "utf8");
      writeFileSync(path, text.replace('"formatVersion": 1', '"formatVersion": 3'));
    },
    /manifest is damaged/,
  ],
  ["a cut manifest", (folder) => truncateSync(join(folder, "manifest.json"), 20), /JSON/],
];

for (const [what, harm, told] of DAMAGES) {
  test(`${what} is named and the checkpoint before it is used`, async () => {
    commit(5);
    commit(10);
    harm(ledger.folder(10));
    const damaged: string[] = [];
    const newest = await ledger.newest((folder, why) => damaged.push(`${folder}: ${why}`));
    assert.equal(newest?.manifest.step, 5);
    assert.equal(damaged.length, 1);
    assert.match(damaged[0] ?? "", /step-00000010/);
    assert.match(damaged[0] ?? "", told);
  });
}

test("pruning keeps the newest committed and what is being written after them", () => {
  for (const step of [5, 10, 15]) commit(step);
  writeShard(12);
  writeShard(20);
  ledger.prune(2);
  const left = [5, 10, 12, 15, 20].filter((step) => existsSync(ledger.folder(step)));
  assert.deepEqual(left, [10, 12, 15, 20]);
});

test("checkpoints that are all damaged stop a resume, and none is removed", async () => {
  commit(5);
  commit(10);
  for (const step of [5, 10]) truncateSync(join(ledger.folder(step), "shard"), 1);
  await assert.rejects(
    ledger.newest(ignore),
    /none of its 2 checkpoints is whole \(step-00000010: shard has 1 bytes, .*; step-00000005: shard/,
  );
  assert.ok(existsSync(ledger.folder(5)) && existsSync(ledger.folder(10)));
});

test("a manifest that has no checksum of itself is read, as those before were written", async () => {
  const { manifest } = commit(5);
  const path = join(ledger.folder(5), "manifest.json");
  const { checksum, ...json } = JSON.parse(readFileSync(path, "utf8"));
  assert.match(checksum, /^[0-9a-f]{64}$/);
  writeFileSync(path, JSON.stringify(json));
  assert.deepEqual((await ledger.newest(ignore))?.manifest, manifest);
});

for (const [what, checksumOf] of [
  ["with its own checksum", (text: string) => createHash("sha256").update(text).digest("hex")],
  ["from before there were checksums", () => undefined],
] as const) {
  test(`a manifest of another version, ${what}, is told, not taken for damage`, async () => {
    commit(5);
    const path = join(ledger.folder(5), "manifest.json");
    const { checksum: _, ...json } = JSON.parse(readFileSync(path, "utf8"));
    const newer = { ...json, formatVersion: 99 };
    const checksum = checksumOf(JSON.stringify(newer));
    writeFileSync(path, JSON.stringify({ ...newer, checksum }));
    await assert.rejects(ledger.newest(ignore), /has format 99, this version of moestro reads 1/);
  });
}

test("what lies after the step a run is resumed from is set aside until the next commit", () => {
  for (const step of [5, 10]) commit(step);
  writeShard(15);
  ledger.setAsideAfter(5);
  assert.ok(existsSync(ledger.folder(5)));
  assert.deepEqual(readdirSync(directory).sort(), [
    "set-aside-step-00000010",
    "set-aside-step-00000015",
    "step-00000005",
  ]);
  commit(10);
  ledger.prune(2);
  assert.deepEqual(readdirSync(directory).sort(), ["step-00000005", "step-00000010"]);
});
