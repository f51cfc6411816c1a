import type { Json, JsonObject, KubeObject } from "../json.ts";
import type { Column, Resource } from "../resources.ts";
import { computedCell } from "./computed-cells.ts";
import { jsonPath } from "./json-path.ts";

/** Objects as the table that `kubectl get` prints. */
export function tableOf(
  objects: readonly KubeObject[],
  resource: Resource,
  {
    metadata,
    now,
    include,
    withColumns,
  }: { metadata: JsonObject; now: number; include: string; withColumns: boolean },
): JsonObject {
  const columns: Column[] = [
    { name: "Name", type: "string", format: "name", jsonPath: ".metadata.name" },
    ...resource.columns,
  ];
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions: withColumns
      ? columns.map(({ name, type, format = "", description = "", priority = 0 }) => ({
          ...{ name, type: type === "date" ? "string" : type, format, description, priority },
        }))
      : [],
    rows: objects.map((object) => ({
      cells: columns.map((column) => cell(object, column, resource, now)),
      object: rowObject(object, include),
    })),
  };
}

function rowObject(object: KubeObject, include: string): Json {
  if (include === "None") return null;
  return include === "Object" ? object : partial(object);
}

/** An object with nothing but its metadata. */
export function partial({ metadata }: KubeObject): JsonObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}

function cell(object: KubeObject, column: Column, resource: Resource, now: number): Json {
  const computed = computedCell(object, resource, column.name);
  if (computed !== undefined) return computed;
  const [value] = jsonPath(object, column.jsonPath);
  if (column.type === "date") return value === undefined ? "<unknown>" : ageText(value, now);
  if (value === undefined) return column.type === "string" ? "" : null;
  return column.type === "string" && typeof value !== "string" ? JSON.stringify(value) : value;
}

/** `5m`, as Kubernetes rounds it. */
function ageText(value: Json, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(String(value))) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}m${seconds % 60 || ""}${seconds % 60 ? "s" : ""}`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
