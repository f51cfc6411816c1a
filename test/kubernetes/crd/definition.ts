import { type Cause, invalid, type Subject } from "../api-error.ts";
import { at, isObject, type JsonObject, type KubeObject, objectsAt, textAt } from "../json.ts";
import { ALL_VERBS, type Column, type Resource, type ScalePaths } from "../resources.ts";
import { OBJECT_META, type Schema } from "../schema/definitions.ts";
import { checkStructural } from "./structural.ts";
import { cause } from "./validate.ts";

/** Refuses a definition that the API server would not take. */
export function checkDefinition(crd: KubeObject, subject: Subject): void {
  const { group, plural, kind } = namesOf(crd);
  const versions = objectsAt(crd, "spec", "versions");
  const causes: Cause[] = [];
  const expected = `${plural}.${group}`;
  if (crd.metadata.name !== expected) {
    const why = `Invalid value: "${crd.metadata.name}": must be spec.names.plural+"."+spec.group`;
    causes.push(cause("metadata.name", "FieldValueInvalid", why));
  }
  if (kind === "") causes.push(cause("spec.names.kind", "FieldValueRequired", "Required value"));
  if (versions.filter(({ storage }) => storage === true).length !== 1) {
    const why = "Invalid value: must have exactly one version marked as storage version";
    causes.push(cause("spec.versions", "FieldValueInvalid", why));
  }
  versions.forEach((version, index) => {
    const path = `spec.versions[${index}].schema.openAPIV3Schema`;
    const schema = at(version, "schema", "openAPIV3Schema");
    if (isObject(schema)) causes.push(...checkStructural(schema as Schema, path));
    else causes.push(cause(path, "FieldValueRequired", "Required value: schemas are required"));
  });
  if (causes.length > 0) throw invalid(subject, causes);
}

/** Gives a new definition the status that it would get: its names are taken, it is served. */
export function establish(crd: KubeObject, now: string): void {
  const condition = (type: string, reason: string, message: string): JsonObject => ({
    ...{ type, status: "True", lastTransitionTime: now, reason, message },
  });
  const names = at(crd, "spec", "names");
  if (isObject(names)) {
    names.singular ??= textAt(names, "kind").toLowerCase();
    names.listKind ??= `${textAt(names, "kind")}List`;
  }
  const stored = objectsAt(crd, "spec", "versions").filter(({ storage }) => storage === true);
  const known = at(crd, "status", "conditions");
  crd.status = {
    acceptedNames: names ?? {},
    conditions: Array.isArray(known)
      ? known
      : [
          condition("NamesAccepted", "NoConflicts", "no conflicts found"),
          condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    storedVersions: stored.map(({ name }) => String(name)),
  };
}

/** What a definition makes the server serve, a resource a version. */
export function resourcesOf(crd: KubeObject): Resource[] {
  return objectsAt(crd, "spec", "versions")
    .filter(({ served }) => served === true)
    .map((version): Resource => {
      const scale = at(version, "subresources", "scale");
      const columns = objectsAt(version, "additionalPrinterColumns");
      const age = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };
      return {
        ...namesOf(crd),
        version: textAt(version, "name"),
        namespaced: textAt(crd, "spec", "scope") === "Namespaced",
        verbs: ALL_VERBS,
        hasStatus: isObject(at(version, "subresources", "status")),
        scale: isObject(scale) ? (scale as ScalePaths) : undefined,
        columns: columns.length > 0 ? (columns as Column[]) : [age],
        schema: withMetadata(at(version, "schema", "openAPIV3Schema") as Schema),
        custom: true,
      };
    });
}

function namesOf(crd: KubeObject) {
  const names = at(crd, "spec", "names");
  const list = (field: string): string[] => {
    const found = at(names, field);
    return Array.isArray(found) ? found.map(String) : [];
  };
  return {
    group: textAt(crd, "spec", "group"),
    plural: textAt(names, "plural"),
    singular: textAt(names, "singular") || textAt(names, "kind").toLowerCase(),
    kind: textAt(names, "kind"),
    shortNames: list("shortNames"),
    categories: list("categories"),
  };
}

function withMetadata(schema: Schema): Schema {
  const every = {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { $ref: OBJECT_META },
  };
  return { ...schema, properties: { ...schema.properties, ...every } };
}
