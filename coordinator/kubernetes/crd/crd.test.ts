import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { jobJsonSchema } from "../../spec/json-schema.ts";
import { isMapping } from "../../spec/mapping.ts";
import { MAX_NAME_LENGTH, NAME_PATTERN } from "../names.ts";
import { CRD_COMMAND, CRD_PATH, crdText } from "./crd-text.ts";
import { customResourceDefinition } from "./custom-resource-definition.ts";
import { jobOfSpec } from "./job-of-spec.ts";
import { fixtureSpec } from "./spec-fixture.ts";
import type { StructuralSchema } from "./structural.ts";
import { structuralProblems, valueProblems } from "./structural-problems.ts";

const [version] = customResourceDefinition().spec.versions;
assert.ok(version);
const root: StructuralSchema = version.schema.openAPIV3Schema;
const spec = root.properties?.spec;
assert.ok(spec);

/** Every schema below a node, with its path. */
function* fields(node: StructuralSchema, path = ""): Generator<[string, StructuralSchema]> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    yield [`${path}.${key}`, child];
    yield* fields(child, `${path}.${key}`);
  }
  if (node.items) yield* fields(node.items, `${path}[]`);
}

/** A preset whose model and gate are not those of the job file's defaults. */
const PRESET = {
  ...{ model: { preset: "mixtral-8x7b" }, moe: undefined, layout: undefined },
  ...{ cluster: { gpu: "h100" }, gpusPerNode: 8 },
};

/** What the API server makes of a value: each object that is there gets its defaults. */
function withDefaults(value: unknown, schema: StructuralSchema): unknown {
  const { properties, items } = schema;
  if (Array.isArray(value) && items) return value.map((one) => withDefaults(one, items));
  if (!isMapping(value) || !properties) return value;
  const filled = Object.entries(properties).map(([key, property]) => {
    const given = value[key] ?? property.default;
    return [key, given === undefined ? undefined : withDefaults(given, property)];
  });
  return { ...value, ...Object.fromEntries(filled.filter(([, one]) => one !== undefined)) };
}

/** The field at a dotted path below `spec`. */
function at(path: string): StructuralSchema {
  const found = path
    .split(".")
    .reduce<StructuralSchema | undefined>((node, key) => node?.properties?.[key], spec);
  assert.ok(found, path);
  return found;
}

describe("the CRD", () => {
  it("that is committed is the one that the job's schema makes", () => {
    const committed = readFileSync(CRD_PATH, "utf8");
    assert.ok(committed === crdText(), `k8s/base/crd.yaml is stale; renew it: ${CRD_COMMAND}`);
    assert.deepEqual(parse(committed), JSON.parse(JSON.stringify(customResourceDefinition())));
  });

  it("is structural, and its defaults fit", () => assert.deepEqual(structuralProblems(root), []));

  it("has every field of the job file, but those that nodes and gpusPerNode say", () => {
    const own = new Set([...fields(spec)].map(([path]) => path.replaceAll("[]", "")));
    const missing: string[] = [];
    const walk = (node: ReturnType<typeof jobJsonSchema>, path: string) => {
      for (const part of [node, node.items, ...(node.anyOf ?? [])]) {
        for (const [key, child] of Object.entries(part?.properties ?? {})) {
          const below = `${path}.${key}`;
          if (!own.has(below)) missing.push(below);
          walk(child, below);
        }
      }
    };
    walk(jobJsonSchema(), "");
    assert.deepEqual(
      missing.sort(),
      [".cluster.file", ".cluster.gpusPerNode", ".cluster.nodes", ".cluster.profile"]
        .concat(".cluster.ranks", ".name")
        .sort(),
    );
  });

  it("describes every field", () =>
    assert.deepEqual(
      [...fields(root)]
        .filter(([path, { description }]) => !description?.endsWith(".") && path !== ".metadata")
        .map(([path]) => path),
      [],
    ));

  it("has the API server write no default that a preset would lose to", () => {
    for (const section of ["model", "moe", "layout"]) {
      assert.equal(at(section).default, undefined, section);
      for (const [path, field] of fields(at(section))) assert.equal(field.default, undefined, path);
    }
    assert.match(at("moe.capacityFactor").description ?? "", /Default: 1\.25, or the preset's\.$/);
    assert.deepEqual(at("controller").default, {});
    assert.equal(at("training.adamEpsilon").default, "1e-8");
  });

  it("has no floats, and text for each", () => {
    const { type, pattern = "" } = at("training.learningRate");
    assert.equal(type, "string");
    for (const good of ["0", "1", "0.003", "3e-4", "2.5E+10", "10"]) {
      assert.match(good, new RegExp(pattern));
    }
    for (const bad of ["", "-1", ".5", "1.", "01", "1e", "Infinity", "0x1", "1 "]) {
      assert.doesNotMatch(bad, new RegExp(pattern));
    }
  });

  it("bounds decimals, and asks for one way to give model and data, by rules", () => {
    const rule = (path: string) => at(path)["x-kubernetes-validations"]?.[0]?.rule;
    assert.equal(rule("training.learningRate"), "double(self) > 0.0");
    assert.equal(rule("training.adamBeta1"), "double(self) < 1.0");
    assert.equal(rule("training.weightDecay"), undefined);
    assert.equal(rule("moe.imbalance"), "double(self) >= 1.0 && double(self) <= 1024.0");
    assert.equal(rule("moe.capacityFactor"), "self == 'dropless' || (double(self) > 0.0)");
    assert.match(rule("model") ?? "", /^\(has\(self\.preset\)\) \|\| /);
    assert.match(rule("data") ?? "", /^\[has\(self\.source\), .* == 1$/);
  });

  it("takes the fixture's spec", () =>
    assert.deepEqual(valueProblems(fixtureSpec(), spec, ""), []));

  it("leaves the job what it is by the defaults that the API server writes", async () => {
    const options = { name: "tiny", folder: "/jobs" };
    for (const given of [fixtureSpec(), fixtureSpec(PRESET)]) {
      const filled = withDefaults(given, spec) as Record<string, unknown>;
      assert.deepEqual(filled.checkpoint, { everySteps: 0, keep: 2 });
      const [before, after] = [await jobOfSpec(given, options), await jobOfSpec(filled, options)];
      assert.deepEqual(after.file.job, before.file.job);
      assert.deepEqual(after.section, before.section);
    }
  });

  it("keeps what a run began with", () => {
    const rules = spec["x-kubernetes-validations"] ?? [];
    const kept = rules.map(({ fieldPath }) => fieldPath);
    for (const section of Object.keys(jobJsonSchema().properties ?? {})) {
      if (section !== "name") assert.ok(kept.includes(`.${section}`), section);
    }
    for (const free of ["nodes", "suspend", "maxRestarts", "template"]) {
      assert.ok(!kept.includes(`.${free}`), free);
    }
  });

  it("has names whose pods' host names are legal", () => {
    assert.match("a".repeat(MAX_NAME_LENGTH), new RegExp(NAME_PATTERN));
    for (const bad of ["a".repeat(MAX_NAME_LENGTH + 1), "1a", "a-", "A", "a.b", ""]) {
      assert.doesNotMatch(bad, new RegExp(NAME_PATTERN));
    }
  });
});
