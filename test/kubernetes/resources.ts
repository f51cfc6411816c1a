import type { Schema } from "./schema/definitions.ts";

/** A column of `kubectl get`. */
export type Column = {
  name: string;
  type: string;
  jsonPath: string;
  format?: string;
  description?: string;
  priority?: number;
};

/** Where the scale subresource finds its numbers. */
export type ScalePaths = {
  specReplicasPath: string;
  statusReplicasPath: string;
  labelSelectorPath?: string;
};

/** A kind that the server serves. */
export type Resource = {
  group: string;
  version: string;
  plural: string;
  singular: string;
  kind: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  verbs: readonly string[];
  hasStatus: boolean;
  scale: ScalePaths | undefined;
  columns: readonly Column[];
  schema: Schema;
  /** Of a CRD: unknown fields are dropped and the schema's defaults set. */
  custom: boolean;
};

export const ALL_VERBS = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
] as const;

export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group === "" ? version : `${group}/${version}`;
}

/** A name for maps: the same for all versions of a kind. */
export function keyOf({ group, plural }: { group: string; plural: string }): string {
  return `${group}/${plural}`;
}
