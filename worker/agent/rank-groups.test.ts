import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StartRanksSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { AgentMessage } from "./coordinator-stream.ts";
import { RankGroups } from "./rank-groups.ts";

const folder = mkdtempSync(join(tmpdir(), "moestro-groups-"));
after(() => rmSync(folder, { recursive: true }));

/** Groups of a node that cannot start any process: their ranks end as they begin. */
function open() {
  const notes: string[] = [];
  const told: AgentMessage[] = [];
  const groups = new RankGroups({
    group: () => ({
      ...{ networkInterface: "", numThreads: 1 },
      takeProcess: () => {
        throw new Error("no room");
      },
    }),
    ...{ reported: () => {}, starting: () => {}, settled: () => {} },
    tell: (_, message) => told.push(message),
    note: (line) => notes.push(line),
  });
  const start = (generation: bigint) =>
    groups.start(
      { runId: "r", generation },
      create(StartRanksSchema, { ranks: [0, 1], logDirectory: join(folder, String(generation)) }),
    );
  return { groups, notes, told, start };
}

test("a start that is stale is not carried out, and is told of; one that comes twice is not", async () => {
  const { groups, notes, told, start } = open();
  await start(2n);
  await start(2n);
  assert.deepEqual(notes, []);
  told.length = 0;
  await start(1n);
  assert.deepEqual(notes, [
    "run r: generation 1 is not started: generation 2 was started here already",
  ]);
  assert.deepEqual(
    told.map(({ case: kind, value }) => [kind, kind === "rankExited" && value.failure?.message]),
    [0, 1].map(() => ["rankExited", "not started: generation 2 was started here already"]),
  );
  groups.forget({ runId: "r", generation: 2n });
  await start(2n);
  assert.equal(notes.at(-1), "run r: generation 2 is not started: it was here already");
  assert.ok(groups.isEmpty);
});

test("what ended is told again with every hello, until the group is forgotten", async () => {
  const { groups, start } = open();
  await start(1n);
  const [state] = groups.states();
  assert.deepEqual(
    state?.exits.map(({ rank, failure }) => [rank, failure?.message]),
    [0, 1].map((rank) => [rank, "cannot start ranks: no room"]),
  );
  groups.forget({ runId: "r", generation: 1n });
  assert.deepEqual(groups.states(), []);
});
