import { isObject, type JsonObject, type KubeObject, objectsAt, textAt } from "../json.ts";
import { quantity } from "../registry/quota.ts";

/** Where a pod fits: the node with the fewest pods. Or why nowhere. Pure. */
export function schedule(
  pod: KubeObject,
  nodes: readonly KubeObject[],
  pods: readonly KubeObject[],
): { node: string } | { message: string } {
  const isHere = (node: KubeObject, each: KubeObject): boolean =>
    textAt(each, "spec", "nodeName") === node.metadata.name &&
    !["Succeeded", "Failed"].includes(textAt(each, "status", "phase"));
  const usable = nodes.filter(
    (node) => node.spec?.unschedulable !== true && isReady(node) && isSelected(pod, node),
  );
  const fitting = usable
    .map((node) => ({ node, here: pods.filter((each) => isHere(node, each)) }))
    .filter(({ node, here }) => fits(pod, node, here))
    .sort((a, b) => a.here.length - b.here.length);
  const [best] = fitting;
  if (best) return { node: best.node.metadata.name };
  const why =
    usable.length === 0
      ? "node(s) didn't match Pod's node affinity/selector or were not ready"
      : "Insufficient resources";
  return { message: `0/${nodes.length} nodes are available: ${why}.` };
}

function isReady(node: KubeObject): boolean {
  return objectsAt(node, "status", "conditions").some(
    ({ type, status }) => type === "Ready" && status === "True",
  );
}

function isSelected(pod: KubeObject, { metadata }: KubeObject): boolean {
  const selector = isObject(pod.spec?.nodeSelector) ? pod.spec.nodeSelector : {};
  return Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value);
}

function requests(pod: KubeObject, resource: string): number {
  return objectsAt(pod, "spec", "containers").reduce((sum, container) => {
    const resources: JsonObject = isObject(container.resources) ? container.resources : {};
    const given = isObject(resources.requests) ? resources.requests : {};
    return sum + quantity(given[resource] ?? 0);
  }, 0);
}

/** Resources that a node does not speak of have no limit, extended ones are not there. */
function fits(pod: KubeObject, node: KubeObject, here: readonly KubeObject[]): boolean {
  const allocatable = isObject(node.status?.allocatable) ? node.status.allocatable : {};
  const asked = objectsAt(pod, "spec", "containers").flatMap(({ resources }) =>
    Object.keys(isObject(resources) && isObject(resources.requests) ? resources.requests : {}),
  );
  return [...new Set(asked)].every((resource) => {
    const limit = allocatable[resource];
    if (limit === undefined) return !resource.includes("/");
    const used = here.reduce((sum, each) => sum + requests(each, resource), 0);
    return used + requests(pod, resource) <= quantity(limit);
  });
}
