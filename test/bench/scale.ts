// What a coordinator costs by its number of agents, each with 8 ranks that report 52 layers
// of 16 experts every --step-ms: processor, memory, reports lost, the way of a coefficient,
// and a restart of all ranks. At one number of agents also a queue of many runs, and joins.
// Everything is real but the ranks' processes: `scale/simulated-rank.ts`.
//
//   npm run bench:scale -- [--agents 250,500,1000,2000,4000] [--seconds 20] [--step-ms 1000]
//                          [--pipeline 1] [--queued 10000] [--queued-at 1000] [--joins 200]
//                          [--profile DIR]
import { parseArgs } from "node:util";
import { table } from "../../coordinator/planner/text-table.ts";
import { linearFit } from "./scale/figures.ts";
import { type Figures, measure } from "./scale/measure.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "250,500,1000,2000,4000" },
    seconds: { type: "string", default: "20" },
    "step-ms": { type: "string", default: "1000" },
    pipeline: { type: "string", default: "1" },
    queued: { type: "string", default: "10000" },
    "queued-at": { type: "string", default: "1000" },
    joins: { type: "string", default: "200" },
    profile: { type: "string" },
  },
});

const all: Figures[] = [];
for (const numAgents of values.agents.split(",").map(Number)) {
  const isQueue = numAgents === Number(values["queued-at"]);
  const figures = await measure({
    numAgents,
    seconds: Number(values.seconds),
    stepMs: Number(values["step-ms"]),
    pipelineParallel: Number(values.pipeline),
    numQueued: isQueue ? Number(values.queued) : 0,
    numJoins: isQueue ? Number(values.joins) : 0,
    profile: values.profile,
  });
  all.push(figures);
  console.log(`\n${numAgents} agents`);
  for (const [what, value] of Object.entries(figures.lines)) console.log(`  ${what}: ${value}`);
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
console.log(
  `\n${table([
    ["agents", "cores", "MB", "reports/s", "control p50 ms", "p99 ms", "restart s"],
    ...all.map((one) => [
      `${one.numAgents}`,
      one.cores.toFixed(2),
      megabytes(one.residentBytes),
      one.reportsPerSecond.toFixed(0),
      one.controlP50Ms.toFixed(0),
      one.controlP99Ms.toFixed(0),
      (one.restartMs / 1000).toFixed(2),
    ]),
  ]).join("\n")}`,
);
if (all.length > 2) {
  const cores = linearFit(all.map((one) => [one.numAgents, one.cores]));
  const memory = linearFit(all.map((one) => [one.numAgents, one.residentBytes]));
  const share = ({ explained }: typeof cores) =>
    `a line explains ${(explained * 100).toFixed(1)} %`;
  console.log(
    `cores = ${cores.intercept.toFixed(3)} + ${(cores.slope * 1000).toFixed(3)} per 1,000 agents; ${share(cores)}`,
  );
  console.log(
    `MB = ${megabytes(memory.intercept)} + ${megabytes(memory.slope * 1000)} per 1,000 agents; ${share(memory)}`,
  );
}
