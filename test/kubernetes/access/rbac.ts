import type { Cluster } from "../cluster.ts";
import { type JsonObject, type KubeObject, objectsAt, textAt } from "../json.ts";
import type { User } from "./tokens.ts";

/** What somebody wants to do. */
export type Wish = {
  verb: string;
  group: string;
  /** With the subresource: `pods/log`. */
  resource: string;
  namespace: string | undefined;
  name: string | undefined;
};

const GROUP = "rbac.authorization.k8s.io";

/** Whether the roles in the cluster allow it; members of system:masters may do everything. */
export function isAllowed(cluster: Cluster, user: User, wish: Wish): boolean {
  if (user.groups.includes("system:masters")) return true;
  // Everybody may ask what they may do.
  if (wish.group === "authorization.k8s.io" && wish.resource.startsWith("self")) return true;
  const everywhere = cluster.storage.list({ group: GROUP, plural: "clusterrolebindings" });
  const here =
    wish.namespace === undefined
      ? []
      : cluster.storage.list({ group: GROUP, plural: "rolebindings" }, wish.namespace);
  return [...everywhere, ...here]
    .filter((binding) => isBound(binding, user))
    .some((binding) => rulesOf(cluster, binding).some((rule) => allows(rule, wish)));
}

function isBound(binding: KubeObject, user: User): boolean {
  return objectsAt(binding, "subjects").some(({ kind, name, namespace }) => {
    if (kind === "Group") return user.groups.includes(String(name));
    if (kind === "User") return user.username === name;
    const owner = namespace ?? binding.metadata.namespace ?? "";
    return user.username === `system:serviceaccount:${String(owner)}:${String(name)}`;
  });
}

function rulesOf(cluster: Cluster, binding: KubeObject): JsonObject[] {
  const isRole = textAt(binding, "roleRef", "kind") === "Role";
  const kind = { group: GROUP, plural: isRole ? "roles" : "clusterroles" };
  const namespace = isRole ? binding.metadata.namespace : undefined;
  const role = cluster.storage.get(kind, namespace, textAt(binding, "roleRef", "name"));
  return objectsAt(role, "rules");
}

function allows(rule: JsonObject, { verb, group, resource, name }: Wish): boolean {
  const has = (field: string, ...wanted: string[]): boolean => {
    const given = rule[field];
    return Array.isArray(given) && wanted.some((each) => given.includes(each));
  };
  const subresource = resource.split("/")[1];
  const named = Array.isArray(rule.resourceNames) && rule.resourceNames.length > 0;
  return (
    has("verbs", verb, "*") &&
    has("apiGroups", group, "*") &&
    has("resources", resource, "*", ...(subresource ? [`*/${subresource}`] : [])) &&
    (!named || (name !== undefined && has("resourceNames", name)))
  );
}
