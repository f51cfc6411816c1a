import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { fixtureText } from "./job-fixture.ts";
import { type JsonSchema, jobJsonSchema } from "./json-schema.ts";

/** Every schema below a node, with its path. */
function* fields(node: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    yield [`${path}.${key}`, child];
    yield* fields(child, `${path}.${key}`);
  }
  for (const part of node.anyOf ?? []) yield* fields(part, path);
}

describe("the job's JSON Schema", () => {
  const schema = jobJsonSchema();
  const accepts = (job: unknown) => {
    // zod takes a branch that only says `required` for one that allows all.
    const { oneOf: _, ...data } = schema.properties?.data ?? {};
    const readable = { ...schema, properties: { ...schema.properties, data } };
    return z.fromJSONSchema(readable as Parameters<typeof z.fromJSONSchema>[0]).safeParse(job)
      .success;
  };

  it("is draft 2020-12 with an id and a title", () => {
    assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
    assert.equal(schema.$id, "urn:moestro:schema:job:v1");
    assert.equal(schema.title, "moestro job");
  });

  it("describes every field and allows no other", () => {
    const all = [...fields(schema, "")];
    assert.ok(all.length > 60);
    assert.deepEqual(
      all.filter(([, field]) => !field.description?.endsWith(".")).map(([path]) => path),
      [],
    );
    for (const [path, field] of all) {
      if (field.type === "object") assert.equal(field.additionalProperties, false, path);
    }
  });

  it("requires only what has no default", () => {
    assert.deepEqual(schema.required, ["name", "model", "data", "training"]);
    assert.deepEqual(schema.properties?.training?.required, [
      "steps",
      "sequenceLength",
      "globalBatchSize",
      "learningRate",
    ]);
  });

  it("accepts the example and the fixture, and refuses an unknown key", async () => {
    const example = await readFile(new URL("../../examples/quickstart.yaml", import.meta.url));
    assert.ok(accepts(parse(example.toString())));
    assert.ok(accepts(parse(fixtureText())));
    assert.ok(!accepts(parse(fixtureText({ unknown: 1 }))));
  });
});
