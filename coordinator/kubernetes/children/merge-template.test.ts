import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { mergeTemplate } from "./merge-template.ts";
import { templateProblems } from "./template-problems.ts";

describe("a pod template with a patch", () => {
  const cases: Record<string, [base: unknown, patch: unknown, merged: unknown]> = {
    "has both their keys": [{ a: 1 }, { b: { c: 2 } }, { a: 1, b: { c: 2 } }],
    "loses what the patch says is null": [{ a: 1, b: 2 }, { a: null, c: null }, { b: 2 }],
    "has its containers merged by name, new ones behind": [
      { containers: [{ name: "agent", image: "a", args: ["1"] }] },
      {
        containers: [
          { name: "other", image: "c" },
          { name: "agent", image: "b" },
        ],
      },
      {
        containers: [
          { name: "agent", image: "b", args: ["1"] },
          { name: "other", image: "c" },
        ],
      },
    ],
    "has a volume of the same name replaced, not half of each": [
      { volumes: [{ name: "runs", persistentVolumeClaim: { claimName: "x" } }, { name: "a" }] },
      { volumes: [{ name: "runs", emptyDir: {} }] },
      { volumes: [{ name: "runs", emptyDir: {} }, { name: "a" }] },
    ],
    "has a variable of the same name replaced": [
      { containers: [{ name: "agent", env: [{ name: "A", valueFrom: {} }] }] },
      { containers: [{ name: "agent", env: [{ name: "A", value: "1" }] }] },
      { containers: [{ name: "agent", env: [{ name: "A", value: "1" }] }] },
    ],
    "has other lists replaced": [{ args: [1, 2] }, { args: [3] }, { args: [3] }],
  };
  for (const [what, [base, patch, merged]] of Object.entries(cases)) {
    it(what, () => assert.deepEqual(mergeTemplate(base, patch), merged));
  }

  const anyTemplate = fc.dictionary(
    fc.constantFrom("a", "b", "containers", "args"),
    fc.oneof(
      fc.nat(),
      fc
        .array(fc.record({ name: fc.constantFrom("x", "y", "z"), image: fc.string() }), {
          maxLength: 3,
        })
        .map((list) =>
          list.filter(({ name }, at) => list.findIndex((one) => one.name === name) === at),
        ),
      fc.dictionary(fc.constantFrom("c", "d"), fc.nat(), { noNullPrototype: true }),
    ),
    { noNullPrototype: true },
  );

  it("is itself without a patch, and the same with it twice", () =>
    fc.assert(
      fc.property(anyTemplate, anyTemplate, (base, patch) => {
        assert.deepEqual(mergeTemplate(base, {}), base);
        const once = mergeTemplate(base, patch);
        assert.deepEqual(mergeTemplate(once, patch), once);
      }),
    ));
});

describe("a template", () => {
  const cases: Record<string, [template: unknown, line: string]> = {
    "that restarts pods": [
      { spec: { restartPolicy: "Always" } },
      "spec.template.spec.restartPolicy: is Never: the job replaces pods, and the agent starts ranks again; remove it",
    ],
    "with a label of moestro's": [
      { metadata: { labels: { "moestro.dev/job": "x" } } },
      "spec.template.metadata.labels.moestro.dev/job: is a label that moestro finds its pods by; choose another",
    ],
    "with a container without a name": [
      { spec: { containers: [{ image: "x" }] } },
      "spec.template.spec.containers.0: has no name, which entries are merged by; add it",
    ],
    "with a variable without a name": [
      { spec: { containers: [{ name: "agent", env: [{ value: "x" }] }] } },
      "spec.template.spec.containers.0.env.0: has no name, which entries are merged by; add it",
    ],
    "that is a pod's spec": [
      { containers: [] },
      "spec.template.containers: unknown key; a pod template has metadata and spec",
    ],
    "with a name": [
      { metadata: { name: "x" } },
      "spec.template.metadata.name: cannot be patched; labels and annotations can",
    ],
  };
  for (const [what, [template, line]] of Object.entries(cases)) {
    it(`${what} is refused in one line`, () =>
      assert.deepEqual(
        templateProblems(template).map(({ path, message }) => `${path.join(".")}: ${message}`),
        [line],
      ));
  }
});
