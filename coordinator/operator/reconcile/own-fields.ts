import { isMapping } from "../../spec/mapping.ts";
import { FIELD_MANAGER } from "./actions.ts";
import type { ObservedObject } from "./observation.ts";

interface OwnSpec {
  spec?: Record<string, unknown>;
}

/** A set of fields, as managedFields writes it: a tree of places. */
export type Fields = Record<string, unknown>;

/** The object's content that the operator applied and that is still its own. */
export function ownFields(object: ObservedObject): Partial<ObservedObject> & OwnSpec {
  const [fields] = ownSets(object, ["Apply"]);
  return fields === undefined ? {} : (within(object, fields) as typeof object);
}

/** What managedFields says of the operator's writes, but of those to the status. */
export function ownSets(
  { metadata }: ObservedObject,
  operations: readonly string[] = ["Apply", "Update"],
): Fields[] {
  const { managedFields = [] } = metadata;
  return managedFields.flatMap(({ manager, operation, subresource = "", fieldsV1 }): Fields[] => {
    const isOurs = manager === FIELD_MANAGER && subresource === "";
    return isOurs && operations.includes(operation) && fieldsV1 !== undefined ? [fieldsV1] : [];
  });
}

/** What of it is below the place itself; a place with nothing below is all of its value. */
export function innerOf(fields: Fields): [string, Fields][] {
  return Object.entries(fields).filter(([path]) => path !== ".") as [string, Fields][];
}

/** What a set of fields selects of a value. */
function within(value: unknown, fields: Fields): unknown {
  const inner = innerOf(fields);
  if (inner.length === 0) return Object.hasOwn(fields, ".") ? emptyLike(value) : value;
  if (Array.isArray(value)) {
    return value.flatMap((entry, index) => {
      const found = inner.find(([path]) => isEntry(path, entry, index));
      return found === undefined ? [] : [within(entry, found[1])];
    });
  }
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    inner.flatMap(([path, below]) => {
      const key = path.slice("f:".length);
      if (!Object.hasOwn(value, key)) return [];
      return [[key, within(value[key], below)]];
    }),
  );
}

/** Only the place itself is owned, not what others keep there. */
function emptyLike(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return isMapping(value) ? {} : value;
}

/** `k:` names an entry of a list by its keys, `v:` by its value, `i:` by its place. */
export function isEntry(path: string, entry: unknown, index: number): boolean {
  const [kind, text] = [path.slice(0, 2), path.slice(2)];
  if (kind === "i:") return Number(text) === index;
  if (kind === "v:") return JSON.stringify(entry) === text;
  if (kind !== "k:" || !isMapping(entry)) return false;
  return Object.entries(JSON.parse(text)).every(([key, value]) => entry[key] === value);
}
