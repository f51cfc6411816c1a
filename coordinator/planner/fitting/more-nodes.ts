import { MAX_GPUS } from "../hardware/cluster-document.ts";
import type { PlanProblem } from "../problem-of-job.ts";
import type { FittingChange } from "./fitting-change.ts";
import { leastEnough } from "./least-enough.ts";
import { strongest } from "./relief.ts";
import type { Trials } from "./trials.ts";

const MAX_NODE_BISECTIONS = 3;

/** More GPUs alone, and fewer of them with more recompute and sharding. */
export function fittingNodes(
  trials: Trials,
  problem: PlanProblem,
  missingBytes: number,
  mayChangeSettings: boolean,
): FittingChange[] {
  const { gpusPerNode, accelerator, nodes } = problem.workload.cluster;
  const changeTo = (found: number, settings: readonly string[]): FittingChange => {
    return { kind: "nodes", settings, nodes: found, gpus: found * gpusPerNode };
  };
  const most = Math.floor(MAX_GPUS / gpusPerNode);
  // The weights alone shrink with more GPUs, so half of what would hold all is too few.
  const short = 1 + missingBytes / accelerator.memoryBytes;
  const first = nodes * 2 ** Math.max(1, Math.ceil(Math.log2(short / 2)));
  const alone = leastEnough(nodes, Math.min(first, most), most, MAX_NODE_BISECTIONS, (count) =>
    trials.fits(withNodes(problem, count)),
  );
  const found = alone === undefined ? [] : [changeTo(alone, [])];
  const { settings, relieved } = strongest(problem);
  if (!mayChangeSettings || settings.length === 0) return found;
  const ceiling = alone ?? Math.min(first, most);
  const fewer = leastEnough(nodes, ceiling, ceiling, MAX_NODE_BISECTIONS, (count) =>
    count === alone ? true : trials.fits(withNodes(relieved, count)),
  );
  return fewer === undefined || fewer === alone ? found : [...found, changeTo(fewer, settings)];
}

function withNodes({ workload, constraints }: PlanProblem, nodes: number): PlanProblem {
  const cluster = { ...workload.cluster, nodes };
  return {
    workload: { ...workload, cluster },
    constraints: { ...constraints, ranks: nodes * cluster.gpusPerNode },
  };
}
