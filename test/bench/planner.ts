// Speed of the free layout search on one core, and what unequal stages with
// recompute per layer gain over the best uniform plan on real models and clusters.
//
//   node_modules/.bin/node test/bench/planner.ts
import { RECOMPUTE_KINDS, type Workload } from "../../coordinator/planner/cost/workload.ts";
import type { Precision } from "../../coordinator/planner/hardware/cluster.ts";
import { type ClusterPresetName, clusterPreset } from "../../coordinator/planner/hardware/presets.ts";
import type { FixedSizes } from "../../coordinator/planner/layout/sizes.ts";
import type { ModelShape } from "../../coordinator/planner/model/model-shape.ts";
import { MODEL_SHAPES, type ModelName } from "../../coordinator/planner/model/shapes.ts";
import type { Constraints } from "../../coordinator/planner/search/constraints.ts";
import { searchLayouts } from "../../coordinator/planner/search/search-layouts.ts";
import { bestUniform } from "../../coordinator/planner/search/uniform.ts";
import { table } from "../../coordinator/planner/text-table.ts";
import { median } from "./jobs.ts";

const NUM_RUNS = 5;

/**
 * Calculon (arXiv 2312.00000 is not cited here: the figure is this project's own
 * measurement of its released search on two cores of such a machine).
 */
const CALCULON = { configurations: 8112, seconds: 31 };
