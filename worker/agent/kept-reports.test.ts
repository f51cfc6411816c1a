import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { RankExitedSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  CheckpointShardsSchema,
  type StepReport,
  StepReportSchema,
} from "../../proto/gen/moestro/v1/report_pb.js";
import { numStepsOf } from "../../proto/merge-reports.ts";
import { StepGather } from "../../proto/step-gather.ts";
import type { AgentMessage } from "./coordinator-stream.ts";
import { KeptReports } from "./kept-reports.ts";

const step = (number: number): AgentMessage => ({
  case: "step",
  value: create(StepReportSchema, {
    ...{ step: BigInt(number), numRanks: 2, lossSum: 1, lossTokens: 10n, stepMs: 5 },
    layers: [{ layer: 0, routed: [3, 4], dropped: [1, 0] }],
  }),
});
const checkpoint = (number: number): AgentMessage => ({
  case: "checkpoint",
  value: create(CheckpointShardsSchema, {
    step: BigInt(number),
    files: [{ name: "x.safetensors" }],
  }),
});
const exit: AgentMessage = { case: "rankExited", value: create(RankExitedSchema, { rank: 1 }) };

const steps = (messages: readonly AgentMessage[]): StepReport[] =>
  messages.flatMap((message) => (message.case === "step" ? [message.value] : []));
const told = (messages: readonly AgentMessage[]): string[] =>
  messages.map(({ case: kind, value }) => `${kind}${value && "step" in value ? value.step : ""}`);

function sendAll(kept: KeptReports<string>): AgentMessage[] {
  const sent: AgentMessage[] = [];
  for (let next = kept.next(); next; next = kept.next()) sent.push(next.message);
  return sent;
}

test("what is not acknowledged is sent again over a new connection, in order, and nothing else is", () => {
  const kept = new KeptReports<string>();
  for (const message of [step(1), step(2), checkpoint(2), step(3)]) kept.add("r", message);
  assert.deepEqual(told(sendAll(kept)), ["step1", "step2", "checkpoint2", "step3"]);
  kept.acknowledge("r", 2n, 0n);
  kept.add("r", step(4));
  assert.deepEqual(told(sendAll(kept)), ["step4"]);
  kept.add("r", exit);
  kept.rewind();
  assert.deepEqual(told(sendAll(kept)), ["checkpoint2", "step3", "step4", "rankExited"]);
  assert.ok(kept.hasReports("r"));
  kept.acknowledge("r", 4n, 2n);
  assert.ok(!kept.hasReports("r"), "an exit is no report");
  assert.deepEqual(told(kept.of("r")), ["rankExited"]);
  kept.forget("r");
  assert.equal(kept.numBytes, 0);
});

/** Steps, of which some end with a checkpoint, some are sent and some acknowledged. */
const arbitraryHistory = fc.array(
  fc.record({
    checkpoint: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
    act: fc.constantFrom("none", "none", "none", "send", "rewind"),
    group: fc.constantFrom("a", "b"),
  }),
  { minLength: 1, maxLength: 200 },
);

test("the bound is kept, and tokens, steps, order and checkpoints are, whatever is joined", () => {
  fc.assert(
    fc.property(arbitraryHistory, fc.integer({ min: 300, max: 3000 }), (history, maxBytes) => {
      const kept = new KeptReports<string>(maxBytes);
      const numSteps = { a: 0, b: 0 };
      const checkpoints: Record<string, string[]> = { a: [], b: [] };
      for (const { checkpoint: saves, act, group } of history as {
        checkpoint: boolean;
        act: string;
        group: "a" | "b";
      }[]) {
        numSteps[group] += 1;
        kept.add(group, step(numSteps[group]));
        if (saves) {
          kept.add(group, checkpoint(numSteps[group]));
          checkpoints[group]?.push(`checkpoint${numSteps[group]}`);
        }
        if (act === "send") sendAll(kept);
        if (act === "rewind") kept.rewind();
        const shards = ["a", "b"].flatMap((one) => kept.of(one)).length;
        const reports = ["a", "b"].flatMap((one) => steps(kept.of(one))).length;
        assert.ok(kept.numBytes <= maxBytes || reports <= 2, `${kept.numBytes} in ${shards}`);
      }
      for (const group of ["a", "b"] as const) {
        const reports = steps(kept.of(group));
        const ends = reports.map((report) => Number(report.step));
        assert.deepEqual(
          ends,
          ends.toSorted((x, y) => x - y),
        );
        assert.equal(ends.at(-1) ?? 0, numSteps[group]);
        const sum = (value: (report: StepReport) => number) =>
          reports.map(value).reduce((total, each) => total + each, 0);
        assert.equal(sum(numStepsOf), numSteps[group]);
        assert.equal(
          sum(({ lossTokens }) => Number(lossTokens)),
          10 * numSteps[group],
        );
        assert.equal(
          sum(({ layers }) => layers[0]?.routed[1] ?? 0),
          4 * numSteps[group],
        );
        const saved = told(kept.of(group)).filter((one) => one.startsWith("checkpoint"));
        assert.deepEqual(saved, checkpoints[group]);
      }
    }),
  );
});

test("what was joined while it was not sent never holds a step that was", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 21, max: 60 }), (sent, last) => {
      const kept = new KeptReports<string>(1000);
      for (let number = 1; number <= last; number += 1) {
        kept.add("r", step(number));
        if (number === sent) sendAll(kept);
      }
      let end = 0;
      for (const report of steps(kept.of("r"))) {
        const first = end + 1;
        end = Number(report.step);
        const straddles = first <= sent && sent < end;
        assert.ok(!straddles || kept.of("r").length < 3, `${first}..${end} over ${sent}`);
      }
    }),
  );
});

test("agents that join for themselves have ends in common: a coordinator loses no step", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 400, max: 4000 }),
      fc.integer({ min: 400, max: 4000 }),
      (last, left, right) => {
        const gather = new StepGather(["a", "b"], 0n);
        const complete: StepReport[] = [];
        for (const [agent, maxBytes] of [
          ["a", left],
          ["b", right],
        ] as const) {
          const kept = new KeptReports<string>(maxBytes);
          for (let number = 1; number <= last; number += 1) kept.add("r", step(number));
          for (const report of steps(kept.of("r"))) complete.push(...gather.add(agent, report));
        }
        assert.equal(
          complete.map(numStepsOf).reduce((a, b) => a + b),
          last,
        );
        assert.ok(complete.every(({ numRanks }) => numRanks === 4));
      },
    ),
  );
});
