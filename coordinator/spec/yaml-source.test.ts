import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MoestroError } from "../errors.ts";
import { parseYaml } from "./yaml-source.ts";

const refused = (text: string) => {
  try {
    parseYaml(text, "job.yaml");
  } catch (error) {
    if (error instanceof MoestroError) return error.lines;
    throw error;
  }
  return [];
};

describe("locate", () => {
  const { source } = parseYaml("a:\n  b: [1, {c: 2}]\n  d:\ne: &x {f: 3}\ng: *x\n", "job.yaml");
  const at = (path: (string | number)[], key?: "key") => {
    const { line, column } = source.locate(path, key);
    return `${line}:${column}`;
  };

  it("finds values in mappings and lists", () => {
    assert.equal(at(["a", "b", 0]), "2:7");
    assert.equal(at(["a", "b", 1, "c"]), "2:14");
  });
  it("points at the key on request, and where a value is absent or begins below it", () => {
    assert.equal(at(["a", "b"], "key"), "2:3");
    assert.equal(at(["a", "d"]), "3:3");
    assert.equal(at(["a"]), "1:1");
  });
  it("falls back to the nearest parent that is there", () => {
    assert.equal(at(["a", "nothing", "more"]), "1:1");
    assert.equal(at(["a", "b", 7]), "2:3");
    assert.equal(at(["nothing"]), "1:1");
  });
  it("follows an alias", () => assert.equal(at(["g", "f"]), "4:11"));
});

describe("what YAML allows and a job does not", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (const [name, last] of ["ba", "cb", "dc", "ed"]) {
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${last}`).join(", ")}]`);
  }
  const cases: Record<string, [string, string]> = {
    "an alias bomb": [
      bomb.join("\n"),
      "job.yaml:1:1: its aliases expand to more than a job needs; write the values out",
    ],
    "an alias without an anchor": [
      "name: *x",
      "job.yaml:1:7: no anchor &x stands before the alias; write the value out",
    ],
    "nesting without end": [
      "[".repeat(100_000),
      "job.yaml:1:1: is nested too deeply; a job has three levels",
    ],
    "two documents": [
      "a: 1\n---\nb: 2\n",
      "job.yaml:2:1: a second YAML document begins; keep one job a file",
    ],
    "an unknown tag": ["a: !x 1", "job.yaml:1:4: Unresolved tag: !x; remove the tag"],
    "a tab": [
      "a:\n\tb: 1\n",
      "job.yaml:2:1: not valid YAML: Tabs are not allowed as indentation; correct the line",
    ],
  };
  for (const [name, [text, line]] of Object.entries(cases)) {
    it(`is refused: ${name}`, () => assert.deepEqual(refused(text), [line]));
  }
  it("keeps a key called __proto__ from changing anything", () => {
    const { raw } = parseYaml("__proto__: {polluted: 1}\n", "job.yaml");
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
    assert.deepEqual(Object.keys(raw as object), ["__proto__"]);
  });
});
