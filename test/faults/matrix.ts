// npm run test:faults [-- --cells name,name --repeat N]: every fault of the matrix, each on
// runs of its own. MOESTRO_TEST_SEED repeats a matrix.
import { parseArgs } from "node:util";
import { Workplace } from "../e2e/moestro.ts";
import type { Cell } from "./cell.ts";
import { cells } from "./cells.ts";
import { AGENT_IDS, Cluster } from "./cluster.ts";
import { NodeNetworks } from "./node-networks.ts";
import { Random } from "./random.ts";
import { References } from "./reference.ts";
import { tryCell } from "./trial.ts";

const { values } = parseArgs({
  options: { cells: { type: "string" }, repeat: { type: "string", default: "2" } },
});
const names = values.cells?.split(",") ?? cells.map(({ name }) => name);
const unknown = names.find((name) => !cells.some((cell) => cell.name === name));
if (unknown !== undefined) {
  const known = cells.map(({ name }) => name).join(", ");
  console.error(`--cells ${unknown}: there is no such cell; use ${known}`);
  process.exit(2);
}
const chosen = cells.filter(({ name }) => names.includes(name));
const random = Random.ofEnvironment();
const references = new References();
let numRuns = 0;
let numFailed = 0;
/** Undoes, as far as it can, what is under way. */
let leave = () => {};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    leave();
    process.exit(130);
  });
}

console.log(`seed ${random.seed}: MOESTRO_TEST_SEED=${random.seed} repeats it`);
await tryAll(chosen.filter(({ needsNetworks }) => !needsNetworks));
await tryAll(chosen.filter(({ needsNetworks }) => needsNetworks));
console.log(`${numRuns - numFailed} passed, ${numFailed} failed`);
process.exit(numFailed === 0 ? 0 : 1);

/** All on one cluster, as long as it passes. */
async function tryAll(group: readonly Cell[]): Promise<void> {
  if (group.length === 0) return;
  const onNetworks = group.some(({ needsNetworks }) => needsNetworks);
  const whyNot = onNetworks ? NodeNetworks.whyNot() : undefined;
  if (whyNot !== undefined) {
    for (const { name } of group) row(name, `left out: ${whyNot}`, "", "");
    return;
  }
  const networks = onNetworks ? new NodeNetworks(AGENT_IDS) : undefined;
  const left = group.flatMap((cell) => Array<Cell>(Number(values.repeat)).fill(cell));
  try {
    while (left.length > 0) await tryOnOneCluster(left, networks);
  } finally {
    networks?.close();
  }
}

/** Takes what it tries from `left`; ends at the first failure. */
async function tryOnOneCluster(left: Cell[], networks: NodeNetworks | undefined): Promise<void> {
  const place = new Workplace();
  leave = () => {
    endAll(place);
    networks?.close();
  };
  let name = "the cluster itself";
  try {
    const cluster = await Cluster.start(place, networks ? { networks } : {});
    for (let cell = left.shift(); cell; cell = left.shift()) {
      numRuns += 1;
      name = cell.name;
      const runId = `${name}-${numRuns}`;
      const { restarts, seconds, notes } = await tryCell(cell, runId, cluster, random, references);
      row(name, ["passed", ...notes].join("; "), String(restarts), seconds.toFixed(0));
    }
    name = "the cluster's end";
    await cluster.close();
    await place.remove();
  } catch (error) {
    numFailed += 1;
    row(name, `FAILED: ${(error as Error).message}`, "", "");
    console.log(`  what it left is in ${place.directory}`);
    endAll(place);
  }
}

function row(name: string, outcome: string, restarts: string, seconds: string): void {
  const cellsOfRow = [name.padEnd(22), restarts.padStart(2), seconds.padStart(4), outcome];
  console.log(cellsOfRow.join("  "));
}

/** Ends what is left of a cluster, for people to look at its files. */
function endAll(place: Workplace): void {
  for (const line of place.processes()) {
    try {
      process.kill(Number.parseInt(line, 10), "SIGKILL");
    } catch {
      // It has ended with another one.
    }
  }
}
