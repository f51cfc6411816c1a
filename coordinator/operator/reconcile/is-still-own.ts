import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { isMapping } from "../../spec/mapping.ts";
import { type Fields, innerOf, isEntry, ownSets } from "./field-sets.ts";
import type { ObservedObject } from "./observation.ts";

/**
 * Whether all that a child says is still the operator's own: the API server takes from it what
 * others change or remove. Values are not compared: the API server writes some in another way,
 * and what an admission webhook makes of them at every write stays the operator's, so that
 * nothing is said in vain.
 */
export function isStillOwn(child: KubernetesObject, object: ObservedObject): boolean {
  const { apiVersion: _, kind: __, metadata, ...content } = child;
  const { name: ___, namespace: ____, ...said } = metadata;
  return isOwned({ ...content, metadata: said }, ownSets(object));
}

/** @param sets what is owned at this place, by each kind of write */
function isOwned(said: unknown, sets: readonly Fields[]): boolean {
  if (sets.length === 0) return false;
  // All of the value, as one.
  if (sets.some((fields) => Object.keys(fields).length === 0)) return true;
  const inner = sets.flatMap(innerOf);
  const below = (isMeant: (path: string) => boolean) =>
    inner.flatMap(([path, fields]) => (isMeant(path) ? [fields] : []));
  if (Array.isArray(said)) {
    return said.every((entry, index) =>
      isOwned(
        entry,
        below((path) => isEntry(path, entry, index)),
      ),
    );
  }
  if (!isMapping(said)) return true;
  return Object.entries(said).every(
    ([key, value]) =>
      value === undefined ||
      isOwned(
        value,
        below((path) => path === `f:${key}`),
      ),
  );
}
