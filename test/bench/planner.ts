// Speed and memory of the free layout search on one core, and its rate beside Calculon's.
//
//   npm run bench:planner
import { RECOMPUTE_KINDS } from "../../coordinator/planner/cost/workload.ts";
import type { ScheduleName } from "../../coordinator/planner/plan-document.ts";
import { searchLayouts } from "../../coordinator/planner/search/search-layouts.ts";
import { table } from "../../coordinator/planner/text-table.ts";
import { openConstraints, workloadOf } from "./planner-settings.ts";

const NUM_RUNS = 5;

/** Calculon's search on two cores like these, as docs/planner.md has it. */
const CALCULON = { configurations: 8112, seconds: 31 };

const ALL: ScheduleName[] = ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"];

const SEARCHES = [
  { model: "skywork-moe-146b", gpu: "a800", nodes: 192, sequences: [8192, 4096] },
  { model: "skywork-moe-146b", gpu: "a800", nodes: 2048, sequences: [8192, 16_384] },
  { model: "deepseek-v3", gpu: "h800", nodes: 256, sequences: [4096, 15_360] },
  { model: "llama3-405b", gpu: "h100", nodes: 2048, sequences: [8192, 2048] },
] as const;

// CPU time, all threads of the process, is there for machines with other work on them.
const rows = [
  ["search", "schedules", "first", "best of 5", "CPU first", "candidates", "solved", "per s"],
];
for (const search of SEARCHES) {
  for (const schedules of [["1f1b"], ALL] as const) {
    const workload = workloadOf(search);
    const constraints = { ...openConstraints(workload, RECOMPUTE_KINDS), schedules };
    const runs = Array.from({ length: NUM_RUNS }, () => {
      const start = performance.now();
      const cpu = process.cpuUsage();
      const { numCandidates, numSolved } = searchLayouts(workload, constraints);
      const { user, system } = process.cpuUsage(cpu);
      const cpuMs = (user + system) / 1000;
      return { ms: performance.now() - start, cpuMs, numCandidates, numSolved };
    });
    const [first] = runs;
    if (first === undefined) throw new RangeError("no run");
    const { ms, cpuMs, numCandidates, numSolved } = first;
    rows.push([
      `${search.model} on ${8 * search.nodes} ${search.gpu}`,
      schedules.length === 1 ? "1f1b" : "all five",
      `${ms.toFixed(0)} ms`,
      `${Math.min(...runs.map((run) => run.ms)).toFixed(0)} ms`,
      `${cpuMs.toFixed(0)} ms`,
      String(numCandidates),
      String(numSolved),
      ((1000 * numCandidates) / ms).toFixed(0),
    ]);
  }
}
console.log(table(rows).join("\n"));
const { configurations, seconds } = CALCULON;
console.log(
  `Calculon: ${(configurations / seconds).toFixed(0)} configurations a second (${configurations} in ${seconds} s on two cores); it simulates each, while most candidates here fall to a bound`,
);
console.log(`peak resident memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
