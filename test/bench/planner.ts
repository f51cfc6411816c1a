// Speed and memory of the free layout search, and its rate beside Calculon's. Every
// search runs in a process of its own, so that the first of its runs is a cold one.
//
//   npm run bench:planner
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { RECOMPUTE_KINDS } from "../../coordinator/planner/cost/workload.ts";
import type { ScheduleName } from "../../coordinator/planner/plan-document.ts";
import { searchLayouts } from "../../coordinator/planner/search/search-layouts.ts";
import { table } from "../../coordinator/planner/text-table.ts";
import { openConstraints, type Setting, workloadOf } from "./planner-settings.ts";

const NUM_RUNS = 5;

/** Calculon's search on two cores like these, as docs/planner.md has it. */
const CALCULON = { configurations: 8112, seconds: 31 };

const SCHEDULES: { name: string; schedules: ScheduleName[] }[] = [
  { name: "1f1b", schedules: ["1f1b"] },
  { name: "all five", schedules: ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"] },
];

const SETTINGS: Setting[] = [
  { model: "skywork-moe-146b", gpu: "a800", nodes: 192, sequences: [8192, 4096] },
  { model: "skywork-moe-146b", gpu: "a800", nodes: 2048, sequences: [8192, 16_384] },
  { model: "deepseek-v3", gpu: "h800", nodes: 256, sequences: [4096, 15_360] },
  { model: "llama3-405b", gpu: "h100", nodes: 2048, sequences: [8192, 2048] },
];

interface Measured {
  /** Milliseconds of each run, the first one cold. */
  runs: number[];
  /** Of the first run, all threads of the process: the garbage collector's and compiler's too. */
  cpuMs: number;
  candidates: number;
  solved: number;
  peakMiB: number;
}

const [asked] = process.argv.slice(2);
if (asked === undefined) report();
else console.log(JSON.stringify(measure(...(JSON.parse(asked) as [Setting, ScheduleName[]]))));

function measure(setting: Setting, schedules: ScheduleName[]): Measured {
  const workload = workloadOf(setting);
  const constraints = { ...openConstraints(workload, RECOMPUTE_KINDS), schedules };
  const runs: number[] = [];
  let first: Omit<Measured, "runs"> | undefined;
  for (let run = 0; run < NUM_RUNS; run++) {
    const start = performance.now();
    const cpu = process.cpuUsage();
    const { numCandidates: candidates, numSolved: solved } = searchLayouts(workload, constraints);
    runs.push(performance.now() - start);
    const { user, system } = process.cpuUsage(cpu);
    const peakMiB = process.resourceUsage().maxRSS / 1024;
    first ??= { cpuMs: (user + system) / 1000, candidates, solved, peakMiB };
  }
  if (first === undefined) throw new RangeError("no run");
  return { runs, ...first };
}

function report(): void {
  const rows = [
    [
      "search",
      "schedules",
      "cold",
      "best of 5",
      "CPU cold",
      "memory",
      "candidates",
      "solved",
      "per s",
    ],
  ];
  for (const setting of SETTINGS) {
    for (const { name, schedules } of SCHEDULES) {
      const self = fileURLToPath(import.meta.url);
      const printed = execFileSync(process.execPath, [self, JSON.stringify([setting, schedules])]);
      const { runs, cpuMs, candidates, solved, peakMiB } = JSON.parse(String(printed)) as Measured;
      const [cold = Number.NaN] = runs;
      rows.push([
        `${setting.model} on ${8 * setting.nodes} ${setting.gpu}`,
        name,
        `${cold.toFixed(0)} ms`,
        `${Math.min(...runs).toFixed(0)} ms`,
        `${cpuMs.toFixed(0)} ms`,
        `${peakMiB.toFixed(0)} MiB`,
        String(candidates),
        String(solved),
        ((1000 * candidates) / cold).toFixed(0),
      ]);
    }
  }
  console.log(table(rows).join("\n"));
  const { configurations, seconds } = CALCULON;
  console.log(
    `Calculon: ${(configurations / seconds).toFixed(0)} configurations a second (${configurations} in ${seconds} s on two cores); it costs each, while most candidates here fall to a bound`,
  );
}
