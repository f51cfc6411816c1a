import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type StepReport, StepReportSchema } from "./gen/moestro/v1/report_pb.js";
import { StepGather } from "./step-gather.ts";

const report = (step: number) =>
  create(StepReportSchema, { step: BigInt(step), numRanks: 1, lossSum: 1 });

test("however long a source is silent, little waits for it, and no step is lost or doubled", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 4 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 0, max: 3 }),
      (numSources, last, silentIndex) => {
        const sources = Array.from({ length: numSources }, (_, index) => index);
        const silent = silentIndex % numSources;
        const gather = new StepGather(sources, 0n, 8 * numSources);
        const complete: StepReport[] = [];
        const send = (source: number) => {
          for (let step = complete.length + 1; step <= last; step += 1) {
            complete.push(...gather.add(source, report(step)));
          }
        };
        for (const source of sources) if (source !== silent) send(source);
        assert.deepEqual(complete, []);
        // It comes back, and tells all; the others are asked for what was let go.
        send(silent);
        for (let asked = gather.toSendAgain(); asked.length > 0; asked = gather.toSendAgain()) {
          for (const source of asked) {
            gather.sendsAgain(source);
            send(source);
          }
          gather.sendsAgain(silent);
          send(silent);
        }
        assert.deepEqual(
          complete.map(({ step, numRanks }) => [Number(step), numRanks]),
          Array.from({ length: last }, (_, index) => [index + 1, numSources]),
        );
      },
    ),
  );
});
