import assert from "node:assert/strict";
import test from "node:test";
import { recomputeForms } from "./recompute-forms.ts";

const FREE = { ranks: 8, fixed: {}, schedules: ["zero-bubble"] } as const;

test("a schedule under which none of the kinds that may be used runs has no form", () => {
  const selective = { ...FREE, target: "moestro", recompute: ["selective"] } as const;
  assert.deepEqual(recomputeForms(selective, "zero-bubble", 8), []);
  assert.equal(recomputeForms(selective, "1f1b", 8).length, 1);
  assert.equal(recomputeForms({ ...selective, target: "any" }, "zero-bubble", 8).length, 1);
});
