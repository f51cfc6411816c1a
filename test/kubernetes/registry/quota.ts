import { forbidden } from "../api-error.ts";
import { type Cluster, subjectOf } from "../cluster.ts";
import { isObject, type KubeObject, objectsAt } from "../json.ts";
import { keyOf, type Resource } from "../resources.ts";

const PODS = { group: "", plural: "pods" };
const QUOTAS = { group: "", plural: "resourcequotas" };
const FACTORS: { [suffix: string]: number } = {
  ...{ m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 },
};

/** A quantity such as `500m` or `2Gi` as a number. */
export function quantity(value: unknown): number {
  const [, digits = "0", suffix = ""] = /^([0-9.]+)([A-Za-z]*)$/.exec(String(value)) ?? [];
  return Number(digits) * (FACTORS[suffix] ?? 1);
}

/** What one more object of a kind uses of a quota's resource. */
function useOf(name: string, resource: Resource, object: KubeObject): number {
  const { group, plural } = resource;
  const counted = [`count/${plural}${group === "" ? "" : `.${group}`}`];
  if (group === "") counted.push(plural);
  if (counted.includes(name)) return 1;
  if (keyOf(resource) !== keyOf(PODS)) return 0;
  const [, part = "requests", what = name] = /^(requests|limits)\.(.*)$/.exec(name) ?? [];
  return objectsAt(object, "spec", "containers").reduce((sum, { resources }) => {
    const amounts = isObject(resources) ? resources[part] : undefined;
    return sum + (isObject(amounts) ? quantity(amounts[what] ?? 0) : 0);
  }, 0);
}

function isOver(object: KubeObject): boolean {
  return ["Succeeded", "Failed"].includes(String(object.status?.phase));
}

/** Throws a 403 where a ResourceQuota of the namespace leaves no room. */
export function checkQuota(cluster: Cluster, resource: Resource, object: KubeObject): void {
  const { namespace, name } = object.metadata;
  if (namespace === undefined) return;
  for (const quota of cluster.storage.list(QUOTAS, namespace)) {
    const hard = isObject(quota.spec?.hard) ? quota.spec.hard : {};
    for (const [what, limit] of Object.entries(hard)) {
      const requested = useOf(what, resource, object);
      if (requested === 0) continue;
      const used = cluster.storage
        .list(resource, namespace, (each) => !isOver(each))
        .reduce((sum, each) => sum + useOf(what, resource, each), 0);
      if (used + requested <= quantity(limit)) continue;
      throw forbidden(
        subjectOf(resource, name),
        `exceeded quota: ${quota.metadata.name}, requested: ${what}=${requested}, used: ${what}=${used}, limited: ${what}=${String(limit)}`,
      );
    }
  }
}
