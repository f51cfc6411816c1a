// Attacks a coordinator: malformed TLS and HTTP/2, any message to any procedure from any
// role, streams by the thousand, agents that say what they like. It has to live, answer
// health checks, keep its memory, and refuse in one line.
//
//   npm run fuzz -- [--seconds 300] [--seed N]
import { parseArgs } from "node:util";
import { table } from "../../coordinator/planner/text-table.ts";
import { runFuzz } from "./run-fuzz.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "300" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});

console.log(`seed ${values.seed}, ${values.seconds} s`);
const report = await runFuzz(Number(values.seconds), Number(values.seed));
const rows = [...report.counts].sort(([a], [b]) => (a < b ? -1 : 1));
console.log(table(rows.map(([what, count]) => [what, String(count)])).join("\n"));
const { warm, end } = report.residentBytes;
const { count, p99Ms, longestMs } = report.health;
console.log(`memory: ${(warm / 1e6).toFixed(0)} MB warm, ${(end / 1e6).toFixed(0)} MB at the end`);
console.log(
  `health: ${count} checks answered, p99 ${p99Ms.toFixed(0)} ms, longest ${longestMs.toFixed(0)} ms`,
);
for (const fault of report.faults) console.error(`fault: ${fault}`);
console.log(report.faults.length === 0 ? "no fault" : `${report.faults.length} faults`);
process.exitCode = report.faults.length === 0 ? 0 : 1;
