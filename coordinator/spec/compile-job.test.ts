import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import { AuxLossForm, EngineJobSchema } from "../../proto/gen/moestro/v1/job_pb.js";
import { compileJob } from "./compile-job.ts";
import { fixtureJob, type JobChanges } from "./job-fixture.ts";

const compiled = async (changes: JobChanges = {}) =>
  compileJob((await fixtureJob(changes)).job, {
    checkpointDirectory: "/runs/a/checkpoints",
    cacheDirectory: "/cache",
    device: "cpu",
  });

describe("compileJob", () => {
  it("fills in every field of the engine's job", async () => {
    const job = await compiled({
      training: { warmupSteps: 1, validationEverySteps: 1, timelineEverySteps: 1 },
      checkpoint: { everySteps: 1 },
      controller: { strict: true },
      model: { tiedEmbeddings: true },
    });
    const json = toJson(EngineJobSchema, job);
    const missing: string[] = [];
    // Protobuf JSON leaves out what is zero or unset; here nothing is.
    for (const [name, section] of Object.entries(json as Record<string, object>)) {
      const field = EngineJobSchema.fields.find(({ jsonName }) => jsonName === name);
      for (const { jsonName, oneof } of field?.message?.fields ?? []) {
        if (oneof === undefined && !(jsonName in section)) missing.push(`${name}.${jsonName}`);
      }
    }
    assert.deepEqual(missing, []);
    assert.equal(Object.keys(json as object).length, EngineJobSchema.fields.length);
  });

  it("writes dropless and an absent normalisation as 0", async () => {
    const { moe } = await compiled({
      moe: { capacityFactor: "dropless", gateNormalization: false, auxLoss: "switch" },
    });
    assert.deepEqual(
      [moe?.capacityFactor, moe?.gateNormalization, moe?.auxLossForm],
      [0, 0, AuxLossForm.SWITCH],
    );
  });

  it("lets ranks wait for coefficients only when they change", async () => {
    for (const [balancing, strict] of Object.entries({
      adaptive: true,
      fixed: false,
      none: false,
    })) {
      const job = await compiled({ controller: { strict: true }, moe: { balancing } });
      assert.equal(job.strictControl, strict);
    }
    assert.equal((await compiled()).strictControl, false);
  });

  it("passes on a path of texts instead of the standard library", async () => {
    const { data } = await compiled({ data: { source: undefined, path: "texts" } });
    assert.deepEqual(data?.source, { case: "textPath", value: "/jobs/texts" });
  });
});
