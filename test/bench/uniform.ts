// What unequal stages with recompute per layer gain over the best uniform plan: on
// the smallest clusters that hold a model, where memory is tight, and on clusters of
// published runs. Layouts are free for both, under 1F1B, so every plan is exact.
//
//   npm run bench:uniform
import { RECOMPUTE_KINDS } from "../../coordinator/planner/cost/workload.ts";
import type { ClusterPresetName } from "../../coordinator/planner/hardware/presets.ts";
import type { ModelName } from "../../coordinator/planner/model/shapes.ts";
import { searchLayouts } from "../../coordinator/planner/search/search-layouts.ts";
import type { Solved } from "../../coordinator/planner/search/solve-candidate.ts";
import { bestUniform } from "../../coordinator/planner/search/uniform.ts";
import { table } from "../../coordinator/planner/text-table.ts";
import { median } from "./jobs.ts";
import { openConstraints, type Setting, workloadOf } from "./planner-settings.ts";

/** The median gain that is aimed at, in %. */
const AIMED_GAIN = 10;

const MODELS: ModelName[] = [
  "skywork-13b",
  "skywork-moe-146b",
  "mixtral-8x7b",
  "mixtral-8x22b",
  "qwen2-57b-a14b",
  "qwen3-30b-a3b",
  "qwen3-235b-a22b",
  "gpt-oss-120b",
  "dbrx",
  "llama2-13b",
  "llama2-70b",
  "llama3-8b",
  "llama3-70b",
];
const GPUS: ClusterPresetName[] = ["rtx4090", "a100-40", "a100-80", "h100"];

/** Numbers of nodes that people have, up to 256 GPUs. */
const NODES = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32];

/** Of each model and GPU: the smallest that holds it, and the next. */
const SIZES_OF_PAIR = 2;

const PUBLISHED: Setting[] = [
  { model: "skywork-moe-146b", gpu: "a800", nodes: 192, sequences: [8192, 4096] },
  { model: "skywork-13b", gpu: "a800", nodes: 64, sequences: [4096, 4096] },
  { model: "mixtral-8x22b", gpu: "h100", nodes: 16, sequences: [4096, 256] },
  { model: "qwen2-57b-a14b", gpu: "h100", nodes: 8, sequences: [4096, 256] },
  { model: "qwen3-235b-a22b", gpu: "h100", nodes: 32, sequences: [4096, 2048] },
  { model: "deepseek-v2", gpu: "h800", nodes: 64, sequences: [4096, 9216] },
  { model: "deepseek-v3", gpu: "h800", nodes: 256, sequences: [4096, 15_360], precision: "fp8" },
  { model: "deepseek-v3", gpu: "h100", nodes: 128, sequences: [4096, 8192], precision: "fp8" },
  { model: "grok-1", gpu: "h100", nodes: 64, sequences: [8192, 1024] },
  { model: "llama3-405b", gpu: "h100", nodes: 2048, sequences: [8192, 2048] },
];

report("The smallest clusters that hold a model", smallest());
report("Clusters of published runs", PUBLISHED);

function smallest(): Setting[] {
  return MODELS.flatMap((model) =>
    GPUS.flatMap((gpu) =>
      NODES.map((nodes): Setting => ({ model, gpu, nodes, sequences: [4096, batchFor(nodes)] }))
        .filter((setting) => best(setting) !== undefined)
        .slice(0, SIZES_OF_PAIR),
    ),
  );
}

/** About a thousand sequences that divide by the nodes. */
function batchFor(nodes: number): number {
  return nodes % 5 === 0 ? 1280 : nodes % 3 === 0 ? 768 : 1024;
}

function best(setting: Setting): Solved | undefined {
  const workload = workloadOf(setting);
  return searchLayouts(workload, openConstraints(workload, RECOMPUTE_KINDS)).best;
}

function report(title: string, settings: readonly Setting[]): void {
  const rows = [["model", "GPUs", "equal", "", "nearly equal", "", "gap"]];
  const equal: number[] = [];
  const nearly: number[] = [];
  for (const setting of settings) {
    const found = best(setting);
    if (found === undefined) throw new RangeError(`${setting.model} does not fit`);
    const [same, close] = [gain(setting, found, true), gain(setting, found, false)];
    equal.push(same.percent);
    nearly.push(close.percent);
    rows.push([
      setting.model,
      `${8 * setting.nodes} ${setting.gpu}`,
      percent(same.percent),
      same.uniform,
      percent(close.percent),
      close.uniform,
      `${(100 * found.gap).toFixed(3)} %`,
    ]);
  }
  console.log(`${title}: how much longer the best uniform plan takes, and what it recomputes`);
  console.log(table(rows).join("\n"));
  console.log(
    "equal: every stage holds as many decoder layers; nearly equal: or one more, where they do not divide",
  );
  for (const [name, gains] of [
    ["equal", equal],
    ["nearly equal", nearly],
  ] as const) {
    console.log(`${name}: ${summary(gains)}`);
    for (const gpu of new Set(settings.map((setting) => setting.gpu))) {
      const own = gains.filter((_, index) => settings[index]?.gpu === gpu);
      console.log(`  ${gpu}: median ${percent(median(own))} over ${own.length}`);
    }
  }
  console.log();
}

interface Gain {
  /** How much longer the best uniform plan takes; infinite where none fits. */
  percent: number;
  /** What every layer of the uniform plan recomputes. */
  uniform: string;
}

function gain(setting: Setting, { stepTimeMs }: Solved, layersDivide: boolean): Gain {
  const workload = workloadOf(setting);
  const constraints = { ...openConstraints(workload, RECOMPUTE_KINDS), layersDivide };
  const uniform = bestUniform(workload, constraints);
  if (uniform === null) return { percent: Number.POSITIVE_INFINITY, uniform: "" };
  const percent = 100 * (uniform.predicted.stepTimeMs / stepTimeMs - 1);
  return { percent, uniform: uniform.stages[0]?.recompute[0] ?? "none" };
}

function summary(gains: readonly number[]): string {
  const middle = median(gains);
  const missed = AIMED_GAIN - middle;
  const verdict =
    missed > 0
      ? `${missed.toFixed(1)} points under the aim of ${AIMED_GAIN} %`
      : `the aim is ${AIMED_GAIN} %`;
  const without = gains.filter((value) => !Number.isFinite(value)).length;
  return `median ${middle.toFixed(1)} % over ${gains.length} settings, ${without} of them without such a plan; ${verdict}`;
}

function percent(value: number): string {
  return Number.isFinite(value) ? `+${value.toFixed(1)} %` : "no plan";
}
