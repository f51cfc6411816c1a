import { type KubeObject, type ManagedFields, same } from "../json.ts";
import type { Schema } from "../schema/definitions.ts";
import { fieldsOf, fromTree, type PathKey, toTree } from "./field-paths.ts";
import { without } from "./sets.ts";

/** Who writes, and through what. */
export type Writer = { manager: string; apiVersion: string; now: string; subresource?: string };

/** A manager with the fields it owns. */
export type Owner = { entry: ManagedFields; paths: Set<PathKey> };

export function ownersOf(object: KubeObject | undefined): Owner[] {
  const entries = object?.metadata.managedFields ?? [];
  return entries.map((entry) => ({ entry, paths: fromTree(entry.fieldsV1) }));
}

export function isBy(owner: Owner, writer: Writer, operation: "Apply" | "Update"): boolean {
  const { manager, operation: how, subresource } = owner.entry;
  return manager === writer.manager && how === operation && subresource === writer.subresource;
}

/** The owner among `owners`, or a new one without fields. */
export function ownerFor(
  owners: readonly Owner[],
  writer: Writer,
  operation: "Apply" | "Update",
): Owner {
  const { manager, apiVersion, now, subresource } = writer;
  return (
    owners.find((owner) => isBy(owner, writer, operation)) ?? {
      paths: new Set(),
      entry: {
        ...{ manager, operation, apiVersion, time: now, fieldsType: "FieldsV1", fieldsV1: {} },
        ...(subresource === undefined ? {} : { subresource }),
      },
    }
  );
}

/** Writes owners into an object; a time moves on only where the fields changed. */
export function writeOwners(object: KubeObject, owners: readonly Owner[], now: string): void {
  const name = ({ entry }: Owner): string =>
    [entry.operation, entry.manager, entry.subresource ?? ""].join(" ");
  const entries = owners
    .filter(({ paths }) => paths.size > 0)
    // In an order of their own, so that writing the same again changes nothing.
    .toSorted((a, b) => (name(a) < name(b) ? -1 : 1))
    .map(({ entry, paths }) => {
      const fieldsV1 = toTree(paths);
      return same(fieldsV1, entry.fieldsV1) ? entry : { ...entry, fieldsV1, time: now };
    });
  if (entries.length > 0) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}

/** What differs between two states of an object. */
export function compareFields(
  before: KubeObject | undefined,
  after: KubeObject,
  schema: Schema,
): { set: Set<PathKey>; removed: Set<PathKey> } {
  const old = before ? fieldsOf(before, schema) : new Map();
  const now = fieldsOf(after, schema);
  const changed = [...now].filter(([path, value]) => !old.has(path) || !same(old.get(path), value));
  return {
    set: new Set(changed.map(([path]) => path)),
    removed: new Set([...old.keys()].filter((path) => !now.has(path))),
  };
}

/** After a write that is no apply: the writer owns what it changed, and nobody else does. */
export function trackUpdate(
  before: KubeObject | undefined,
  after: KubeObject,
  schema: Schema,
  writer: Writer,
): void {
  const { set, removed } = compareFields(before, after, schema);
  // A write may carry managedFields along; only an explicit empty list resets them.
  const owners = ownersOf(before);
  const own = ownerFor(owners, writer, "Update");
  const others = owners.filter((owner) => owner !== own);
  for (const owner of owners) owner.paths = without(owner.paths, removed);
  for (const other of others) other.paths = without(other.paths, set);
  own.paths = new Set([...own.paths, ...set]);
  writeOwners(after, [...others, own], writer.now);
}
