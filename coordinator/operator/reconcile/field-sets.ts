import { isMapping } from "../../spec/mapping.ts";
import { FIELD_MANAGER } from "./actions.ts";
import type { ObservedObject } from "./observation.ts";

/** A set of fields, as managedFields writes it: a tree of places. */
export type Fields = Record<string, unknown>;

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

/** `k:` names an entry of a list by its keys, `v:` by its value, `i:` by its place. */
export function isEntry(path: string, entry: unknown, index: number): boolean {
  const [kind, text] = [path.slice(0, 2), path.slice(2)];
  if (kind === "i:") return Number(text) === index;
  if (kind === "v:") return JSON.stringify(entry) === text;
  if (kind !== "k:" || !isMapping(entry)) return false;
  return Object.entries(JSON.parse(text)).every(([key, value]) => entry[key] === value);
}
