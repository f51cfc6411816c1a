import { ApiError } from "../api-error.ts";
import { copy, type Json, type JsonObject, type KubeObject } from "../json.ts";
import type { Schema } from "../schema/definitions.ts";
import { fieldsOf, type PathKey, pathText } from "./field-paths.ts";
import {
  compareFields,
  type Owner,
  ownerFor,
  ownersOf,
  type Writer,
  writeOwners,
} from "./managers.ts";
import { mergeTyped, removePaths } from "./merge-typed.ts";
import { inBoth, without } from "./sets.ts";

/**
 * Server-side apply: merges a configuration into what there is, removes what its manager
 * applied before and nobody else owns, and writes who owns what. Throws a 409 where a value
 * of another manager would change, unless forced.
 */
export function serverSideApply(
  live: KubeObject | undefined,
  config: KubeObject,
  schema: Schema,
  writer: Writer & { force: boolean },
): KubeObject {
  const owners = ownersOf(live);
  const own = ownerFor(owners, writer, "Apply");
  const others = owners.filter((owner) => owner !== own);
  const merged = (live ? mergeTyped(live, config, schema) : copy(config)) as KubeObject;
  const applied = new Set(fieldsOf(config, schema).keys());
  const { set } = compareFields(live, merged, schema);
  const taken = inBoth(set, applied);
  const conflicts = others
    .map((owner) => ({ owner, paths: inBoth(owner.paths, taken) }))
    .filter(({ paths }) => paths.size > 0);
  if (conflicts.length > 0 && !writer.force) throw applyConflict(conflicts);
  for (const { owner, paths } of conflicts) owner.paths = without(owner.paths, paths);
  const orphaned = [...without(own.paths, applied)].filter((path) => !isOwned(path, others));
  const isKept = (path: PathKey): boolean =>
    applied.has(path) || others.some(({ paths }) => paths.has(path));
  const result = removePaths(merged, schema, new Set(orphaned), isKept) as KubeObject;
  const { removed } = compareFields(merged, result, schema);
  for (const other of others) other.paths = without(other.paths, removed);
  own.paths = applied;
  writeOwners(result, [own, ...others], writer.now);
  return result;
}

/** Whether somebody owns the field or anything in it. */
function isOwned(path: PathKey, owners: readonly Owner[]): boolean {
  const prefix = `${path.slice(0, -1)},`;
  return owners.some(({ paths }) =>
    [...paths].some((owned) => owned === path || owned.startsWith(prefix)),
  );
}

function applyConflict(conflicts: { owner: Owner; paths: Set<PathKey> }[]): ApiError {
  const causes = conflicts.flatMap(({ owner, paths }) =>
    [...paths].sort().map((path): JsonObject & { field: string; message: string } => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${ownerText(owner)}`,
      field: pathText(path),
    })),
  );
  const single = `Apply failed with 1 conflict: ${causes[0]?.message}: ${causes[0]?.field}`;
  const groups = conflicts.map(({ owner, paths }) =>
    [
      `conflicts with ${ownerText(owner)}:`,
      ...[...paths].sort().map((path) => `- ${pathText(path)}`),
    ].join("\n"),
  );
  const many = `Apply failed with ${causes.length} conflicts: ${groups.join("\n")}`;
  const details = { causes: causes.map((cause): Json => cause) };
  return new ApiError(409, "Conflict", causes.length === 1 ? single : many, details);
}

function ownerText({ entry }: Owner): string {
  const through = entry.subresource === undefined ? "" : ` with subresource "${entry.subresource}"`;
  return `"${entry.manager}"${through} using ${entry.apiVersion}`;
}
