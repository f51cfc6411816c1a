import assert from "node:assert/strict";
import { type Cell, WELL_AFTER_STEPS } from "../cell.ts";
import { AGENT_IDS } from "../cluster.ts";
import { until } from "../patience.ts";
import type { Run } from "../run.ts";

async function trainsOn(run: Run, numRanks: number): Promise<void> {
  await until(`${numRanks} ranks`, async () => (await run.status()).numRanks === numRanks);
  await run.advance(WELL_AFTER_STEPS);
  const { numRanks: has, layout } = await run.status();
  assert.equal(has, numRanks, layout);
}

/** 4 agents → 3 → 2 → 4: the run has what there is, and the same batch at every size. */
const elastic: Cell = {
  ...{ name: "elastic", kind: "elastic", sizes: { minRanks: 4, maxRanks: 8 } },
  // It may grow with each agent that comes back, or with both at once.
  ...{ restarts: [3, 4], counted: 0 },
  strike: async ({ cluster, run, note }) => {
    const [, , third, fourth] = AGENT_IDS;
    await trainsOn(run, 8);
    await cluster.agent(fourth).end("SIGKILL");
    await trainsOn(run, 6);
    await cluster.agent(third).end("SIGKILL");
    await trainsOn(run, 4);
    await Promise.all([cluster.startAgent(third), cluster.startAgent(fourth)]);
    await trainsOn(run, 8);
    note(`goodput ${(await run.status()).goodput.toFixed(2)}`);
  },
};

export const elasticCells: readonly Cell[] = [elastic];
