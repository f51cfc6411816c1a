import { test } from "node:test";
import type { Check, Subject } from "./conformance/fixture.ts";
import { checkLeases } from "./conformance/leases.ts";
import { checkOthers } from "./conformance/others.ts";
import { checkRuns } from "./conformance/runs.ts";
import { checkWishes } from "./conformance/wishes.ts";

/** What every store must do: one set of tests for all of them. */
export function conformance(name: string, start: () => Promise<Subject>): void {
  const check: Check = (sentence, body) => {
    test(`${name}: ${sentence}`, async () => {
      const subject = await start();
      const store = await subject.open();
      await body(subject, store);
      await store.close();
    });
  };
  checkLeases(check);
  checkRuns(check);
  checkWishes(check);
  checkOthers(check);
}
