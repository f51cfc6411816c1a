import { isMapping } from "../../spec/mapping.ts";

/** Lists whose entries are told apart by a key, wherever they stand in a pod template. */
export const LIST_KEYS: ReadonlyMap<string, string> = new Map([
  ["containers", "name"],
  ["initContainers", "name"],
  ["volumes", "name"],
  ["env", "name"],
  ["imagePullSecrets", "name"],
  ["volumeMounts", "mountPath"],
  ["volumeDevices", "devicePath"],
  ["ports", "containerPort"],
  ["hostAliases", "ip"],
  ["resourceClaims", "name"],
]);

/**
 * Lists whose entries of the same key are replaced whole: a volume or a variable has one source,
 * and half of two is none.
 */
const REPLACED = new Set(["volumes", "env"]);

/**
 * A pod template with a patch on top, after the fashion of Kubernetes' strategic merge: mappings
 * are merged key by key, null removes a key, lists of `LIST_KEYS` are merged by that key with
 * new entries behind, every other list and value replaces what was there. Pure.
 */
export function mergeTemplate(base: unknown, patch: unknown, key = ""): unknown {
  if (isMapping(base) && isMapping(patch)) return mergeMappings(base, patch);
  const by = LIST_KEYS.get(key);
  if (by !== undefined && Array.isArray(base) && Array.isArray(patch)) {
    return mergeLists(base, patch, by, REPLACED.has(key));
  }
  return withoutNulls(patch);
}

function mergeMappings(
  base: Record<string, unknown>,
  patch: Record<string, unknown>,
): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergeTemplate(base[key], value, key);
  }
  return merged;
}

function mergeLists(
  base: readonly unknown[],
  patch: readonly unknown[],
  by: string,
  isReplaced: boolean,
): unknown[] {
  const keyOf = (entry: unknown) => (isMapping(entry) ? entry[by] : undefined);
  const merged = base.map((entry) => {
    const change = patch.find((one) => keyOf(one) === keyOf(entry));
    if (change === undefined) return entry;
    return isReplaced ? withoutNulls(change) : mergeTemplate(entry, change);
  });
  const known = new Set(base.map(keyOf));
  const added = patch.filter((entry) => !known.has(keyOf(entry)));
  return [...merged, ...added.map(withoutNulls)];
}

/** What is removed need not have been there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== null)
      .map(([key, one]) => [key, withoutNulls(one)]),
  );
}
