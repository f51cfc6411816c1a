import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toJson } from "@bufbuild/protobuf";
import {
  AuxLossForm,
  DropPolicy,
  EngineJobSchema,
  GateFunction,
  Precision,
} from "../../proto/gen/moestro/v1/job_pb.js";
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
      model: {
        ...{ tiedEmbeddings: true, routerBias: false, denseLayers: 1, denseFfnHiddenSize: 96 },
        ...{ sharedFfnHiddenSize: 64, sharedExpertGate: true },
      },
      moe: { renormalize: false, padding: false, zLoss: 0.001, balancing: "bias" },
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
    // Whether training starts from given weights is settled when a run begins.
    const settled = EngineJobSchema.fields.filter(({ name }) => name !== "initial_weights");
    assert.equal(Object.keys(json as object).length, settled.length);
  });

  it("multiplies in fp32 unless the job says bf16", async () => {
    const precision = async (training: object) =>
      (await compiled({ training })).training?.precision;
    assert.equal(await precision({}), Precision.FP32);
    assert.equal(await precision({ precision: "bf16" }), Precision.BF16);
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

  it("says which gate, which drops and which losses, the usual ones unless asked", async () => {
    const { moe: usual } = await compiled();
    assert.deepEqual(
      [usual?.gateFunction, usual?.withoutRenormalization, usual?.dropPolicy],
      [GateFunction.SOFTMAX, false, DropPolicy.PROBS],
    );
    assert.deepEqual(
      [usual?.withoutPadding, usual?.zLossCoefficient, usual?.selectionBias],
      [false, 0, false],
    );
    const { moe: asked } = await compiled({
      moe: {
        ...{ gateFunction: "sigmoid", renormalize: false, dropPolicy: "position" },
        ...{ padding: false, zLoss: 0.001, balancing: "bias" },
      },
    });
    assert.deepEqual(
      [asked?.gateFunction, asked?.withoutRenormalization, asked?.dropPolicy],
      [GateFunction.SIGMOID, true, DropPolicy.POSITION],
    );
    assert.deepEqual(
      [asked?.withoutPadding, asked?.zLossCoefficient, asked?.selectionBias],
      [true, 0.001, true],
    );
  });

  it("numbers the dense layers, as wide as an expert unless the job says", async () => {
    const { model } = await compiled({ model: { denseLayers: 2, sharedFfnHiddenSize: 64 } });
    assert.deepEqual(
      [model?.denseLayers, model?.denseFfnHiddenSize],
      [[0, 1], model?.ffnHiddenSize],
    );
    assert.deepEqual([model?.sharedFfnHiddenSize, model?.sharedExpertGate], [64, false]);
    const { model: listed } = await compiled({
      model: { denseLayers: [3, 1, 3], denseFfnHiddenSize: 96 },
    });
    assert.deepEqual([listed?.denseLayers, listed?.denseFfnHiddenSize], [[1, 3], 96]);
    const { model: plain } = await compiled();
    assert.deepEqual([plain?.denseLayers, plain?.denseFfnHiddenSize], [[], 0]);
  });

  it("lets ranks wait for coefficients only when they change", async () => {
    for (const [balancing, strict] of Object.entries({
      adaptive: true,
      bias: true,
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

  it("passes on the sources of a mixture with their weights, 1 unless given", async () => {
    const sources = [{ path: "web.bin", weight: 0.7 }, { path: "/elsewhere/code" }];
    const { data } = await compiled({ data: { source: undefined, sources } });
    assert.equal(data?.source.case, "blend");
    assert.deepEqual(
      data?.source.case === "blend" &&
        data.source.value.sources.map(({ path, weight }) => [path, weight]),
      [
        ["/jobs/web.bin", 0.7],
        ["/elsewhere/code", 1],
      ],
    );
  });
});
