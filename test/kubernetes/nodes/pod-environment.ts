import type { Cluster } from "../cluster.ts";
import { at, type JsonObject, type KubeObject, objectsAt, textAt } from "../json.ts";
import { dataOf, MissingSource } from "./pod-files.ts";

/** A field of the pod as the downward API gives it. */
export function fieldOf(pod: KubeObject, path: string): string {
  const [, map, key] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path) ?? [];
  const steps = map && key ? ["metadata", map, key] : path.split(".");
  const value = at(pod, ...steps);
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A container's environment, with `$(NAME)` expanded. Throws MissingSource. */
export function environmentOf(
  pod: KubeObject,
  container: JsonObject,
  cluster: Cluster,
): { [name: string]: string } {
  const found: { [name: string]: string } = {};
  for (const source of objectsAt(container, "envFrom")) {
    const prefix = textAt(source, "prefix");
    for (const [plural, reference] of sourcesOf(source)) {
      const data = dataOf(cluster, pod, plural, reference);
      for (const [key, value] of Object.entries(data)) found[`${prefix}${key}`] = value;
    }
  }
  for (const variable of objectsAt(container, "env")) {
    const value = variableValue(variable, pod, container, cluster);
    if (value !== undefined) found[textAt(variable, "name")] = expand(value, found);
  }
  return found;
}

function sourcesOf(source: JsonObject): ["configmaps" | "secrets", JsonObject][] {
  const { configMapRef, secretRef } = source as { [field: string]: JsonObject | undefined };
  return [
    ...(configMapRef ? ([["configmaps", configMapRef]] as ["configmaps", JsonObject][]) : []),
    ...(secretRef ? ([["secrets", secretRef]] as ["secrets", JsonObject][]) : []),
  ];
}

function variableValue(
  variable: JsonObject,
  pod: KubeObject,
  container: JsonObject,
  cluster: Cluster,
): string | undefined {
  const from = variable.valueFrom;
  if (from === undefined) return textAt(variable, "value");
  const field = textAt(from, "fieldRef", "fieldPath");
  if (field !== "") return fieldOf(pod, field);
  const resource = textAt(from, "resourceFieldRef", "resource");
  if (resource !== "") {
    const [part = "", ...name] = resource.split(".");
    return String(at(container, "resources", part, name.join(".")) ?? 0);
  }
  for (const [plural, name] of [
    ["configmaps", "configMapKeyRef"],
    ["secrets", "secretKeyRef"],
  ] as const) {
    const reference = at(from, name);
    if (reference === undefined || reference === null) continue;
    const value = dataOf(cluster, pod, plural, reference)[textAt(reference, "key")];
    if (value === undefined && at(reference, "optional") !== true) {
      throw new MissingSource(`couldn't find key ${textAt(reference, "key")} in ${name}`);
    }
    return value;
  }
  return "";
}

/** Expands `$(NAME)`; `$$` is a dollar, and what is unknown stays. */
export function expand(text: string, environment: { [name: string]: string }): string {
  return text.replace(/\$\$|\$\(([\w.-]+)\)/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (environment[name] ?? whole),
  );
}
