import { isMapping } from "../../spec/mapping.ts";
import { FIELD_MANAGER } from "./actions.ts";
import type { ObservedObject } from "./observation.ts";

interface OwnSpec {
  spec?: Record<string, unknown>;
}

/** The object's content that the operator applied and that is still its own. */
export function ownFields(object: ObservedObject): Partial<ObservedObject> & OwnSpec {
  const ours = object.metadata.managedFields?.find(
    ({ manager, operation, subresource = "" }) =>
      manager === FIELD_MANAGER && operation === "Apply" && subresource === "",
  );
  return ours?.fieldsV1 === undefined ? {} : (within(object, ours.fieldsV1) as typeof object);
}

/** What a set of fields, as managedFields writes it, selects of a value. */
function within(value: unknown, fields: Record<string, unknown>): unknown {
  const inner = Object.entries(fields).filter(([path]) => path !== ".");
  if (inner.length === 0) return Object.hasOwn(fields, ".") ? emptyLike(value) : value;
  if (Array.isArray(value)) {
    return value.flatMap((entry, index) => {
      const found = inner.find(([path]) => isEntry(path, entry, index));
      return found === undefined ? [] : [within(entry, found[1] as Record<string, unknown>)];
    });
  }
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    inner.flatMap(([path, below]) => {
      const key = path.slice("f:".length);
      if (!Object.hasOwn(value, key)) return [];
      return [[key, within(value[key], below as Record<string, unknown>)]];
    }),
  );
}

/** Only the place itself is owned, not what others keep there. */
function emptyLike(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return isMapping(value) ? {} : value;
}

/** `k:` names an entry of a list by its keys, `v:` by its value, `i:` by its place. */
function isEntry(path: string, entry: unknown, index: number): boolean {
  const [kind, text] = [path.slice(0, 2), path.slice(2)];
  if (kind === "i:") return Number(text) === index;
  if (kind === "v:") return JSON.stringify(entry) === text;
  if (kind !== "k:" || !isMapping(entry)) return false;
  return Object.entries(JSON.parse(text)).every(([key, value]) => entry[key] === value);
}
