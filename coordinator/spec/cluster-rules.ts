import { isLocal } from "./planning-defaults.ts";
import type { Problem } from "./problems.ts";
import type { Job } from "./schema.ts";

/** GPUs of the largest cluster that is planned for. */
const MAX_GPUS = 1_000_000;

/** Rules of the cluster section, and of what only a cluster's layout can say. */
export function clusterRules(job: Job): Problem[] {
  const { cluster } = job;
  const sources = (["gpu", "file", "profile"] as const).filter((key) => cluster[key] !== undefined);
  const [first, second] = sources;
  if (second !== undefined) {
    const message = `is given beside cluster.${first}; keep one of them`;
    return [{ path: ["cluster", second], message }];
  }
  if (first === undefined) return localRules(cluster);
  return [...limitRules(cluster), ...sizeRules(cluster), ...listRules(job)];
}

function localRules({ nodes, gpusPerNode }: Job["cluster"]): Problem[] {
  const key = nodes !== undefined ? "nodes" : "gpusPerNode";
  if (nodes === undefined && gpusPerNode === undefined) return [];
  const message = "says nothing of this machine; give cluster.gpu beside it, or use cluster.ranks";
  return [{ path: ["cluster", key], message }];
}

function limitRules({ memoryLimit }: Job["cluster"]): Problem[] {
  if (memoryLimit === undefined) return [];
  const message =
    "limits a rank of this machine, and the job plans for a cluster; use cluster.memoryReserve";
  return [{ path: ["cluster", "memoryLimit"], message }];
}

function sizeRules({ gpu, nodes, gpusPerNode, ranks }: Job["cluster"]): Problem[] {
  if (gpu !== undefined && nodes === undefined) {
    const message = `is missing; say how many nodes of ${gpusPerNode} ${gpu} the cluster has`;
    return [{ path: ["cluster", "nodes"], message }];
  }
  if (nodes === undefined || gpusPerNode === undefined) return [];
  const gpus = nodes * gpusPerNode;
  if (gpus > MAX_GPUS) {
    const message = `${nodes} of ${gpusPerNode} GPUs are ${gpus}; use at most ${MAX_GPUS} GPUs`;
    return [{ path: ["cluster", "nodes"], message }];
  }
  return ranks === gpus
    ? []
    : [
        {
          path: ["cluster", "ranks"],
          message: `${ranks} is not nodes ${nodes} × gpusPerNode ${gpusPerNode} = ${gpus}; leave it out`,
        },
      ];
}

/** Lists by stage and by layer; on this machine the layout's own rules check them. */
function listRules({ cluster, layout, model }: Job): Problem[] {
  if (isLocal(cluster) || layout === "auto") return [];
  const { stages, recompute } = layout;
  const problems: Problem[] = [];
  const held = stages?.reduce((sum, layers) => sum + layers, 0) ?? model.layers;
  if (held !== model.layers) {
    problems.push({
      path: ["layout", "stages"],
      message: `holds ${held} layers, but the model has ${model.layers}; make the entries add up to ${model.layers}`,
    });
  }
  if (Array.isArray(recompute) && recompute.length !== model.layers) {
    problems.push({
      path: ["layout", "recompute"],
      message: `has ${recompute.length} entries, but the model has ${model.layers} layers; give one entry a layer, or one word for all`,
    });
  }
  return problems;
}
