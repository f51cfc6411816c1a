import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import fc from "fast-check";
import {
  formatMegatronLayout,
  parseMegatronLayout,
  whyNotMegatronStages,
} from "./megatron-layout.ts";

const { rows } = JSON.parse(
  readFileSync(new URL("./megatron-layouts.fixture.json", import.meta.url), "utf8"),
) as {
  rows: {
    layout: string;
    layers: number;
    mtpLayers: number;
    stages: string[];
    layersPerStage: number[];
  }[];
};

const countOf = (letters: string, letter: string) => letters.split(letter).length - 1;

test("every layout string found in public repositories parses as Megatron-Core parses it", () => {
  assert.equal(rows.length, 35);
  for (const { layout, layers, mtpLayers, stages, layersPerStage } of rows) {
    const parsed = parseMegatronLayout(layout);
    assert.deepEqual(parsed, stages, layout);
    assert.deepEqual(
      parsed.map((stage) => countOf(stage, "t")),
      layersPerStage,
      layout,
    );
    assert.equal(countOf(parsed.join(""), "t"), layers, layout);
    assert.equal(countOf(parsed.join(""), "m"), mtpLayers, layout);
  }
});

test("what is written for those stages is no longer than what people wrote, and parses back", () => {
  for (const { layout, stages } of rows) {
    const text = formatMegatronLayout(stages);
    assert.deepEqual(parseMegatronLayout(text), stages, text);
    assert.ok(text.length <= layout.length + 2, `${text} for ${layout}`);
  }
});

test("DeepSeek-V3 on 32 stages is written as people write it", () => {
  const stages = ["Ettt", ...Array(29).fill("tt"), "m", "L"];
  assert.equal(formatMegatronLayout(stages.toSpliced(30, 1)), "Et*3|(tt|)*29L");
  assert.equal(formatMegatronLayout(stages), "Et*3|(tt|)*29m|L");
});

test("formatting and parsing any stages gives them back", () => {
  const middle = fc.array(
    fc.oneof(
      fc.nat({ max: 30 }).map((n) => "t".repeat(n)),
      fc.constantFrom("", "t", "tt", "m", "ttm"),
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(middle, (stages) => {
      const all = [`E${stages[0] ?? ""}`, ...stages.slice(1), "tL"];
      assert.deepEqual(parseMegatronLayout(formatMegatronLayout(all)), all);
    }),
  );
});

const REFUSED: [string, RegExp][] = [
  ["", /one E has to stand first and one L last/],
  ["tt|tL", /one E has to stand first/],
  ["Ett|tt", /one L last/],
  ["EtE|tL", /nowhere else/],
  ["EtL|tL", /nowhere else/],
  ["E((t|)*2)*2L", /out of place/],
  ["Et*|L", /"\*" is out of place/],
  ["Ex|L", /"x" is out of place/],
  ["Et*999999999999|L", /longer than/],
  ["E(t*9999|)*99999L", /longer than/],
];

test("a string that is no layout is refused with the reason", () => {
  for (const [text, why] of REFUSED) assert.throws(() => parseMegatronLayout(text), why, text);
});

const NOT_RUN: { stages: string[]; ranks: number; why: RegExp | undefined }[] = [
  { stages: ["Et", "t", "tL"], ranks: 2, why: /3 stages are not a multiple of 2/ },
  { stages: ["Et", "", "t", "tL"], ranks: 4, why: /stage 1 is empty/ },
  { stages: ["Et", "tm", "t", "mL"], ranks: 4, why: /stages 1 and 3 hold multi-token/ },
  { stages: ["Et", "tm", "t", "tL"], ranks: 2, why: /stage 1 .* last chunk/ },
  { stages: ["Et", "tt", "tm", "tL"], ranks: 2, why: undefined },
  { stages: ["E", "tt", "mm", "L"], ranks: 4, why: undefined },
];

test("stages that parse but cannot run are told from those that can", () => {
  for (const { stages, ranks, why } of NOT_RUN) {
    const reason = whyNotMegatronStages(stages, ranks);
    if (why === undefined) assert.equal(reason, undefined);
    else assert.match(reason ?? "", why);
  }
});
