import { ApiError, badRequest, type Cause, invalid } from "../api-error.ts";
import { type Cluster, subjectOf } from "../cluster.ts";
import { checkRules } from "../crd/cel.ts";
import { dropNulls, prune, setDefaults } from "../crd/shape.ts";
import { cause, validate } from "../crd/validate.ts";
import { copy, type KubeObject } from "../json.ts";
import { kindOf } from "../kinds/kinds.ts";
import { apiVersionOf, type Resource } from "../resources.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** Names that are a label of DNS, of some kinds. */
const LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/** Refuses an object of another kind than the path says. */
export function checkKind(object: KubeObject, resource: Resource): void {
  const expected = apiVersionOf(resource);
  if (object.apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  if (object.kind !== resource.kind) {
    throw badRequest(
      `${object.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: no kind "${object.kind}" is registered`,
    );
  }
}

/** Drops what the schema does not know and sets its defaults; gives back warnings. */
export function shape(object: KubeObject, resource: Resource, how: FieldValidation): string[] {
  if (!resource.custom) dropNulls(object);
  const unknown = prune(object, resource.schema).map((path) => `unknown field "${path}"`);
  if (unknown.length > 0 && how === "Strict") {
    const { kind, version } = resource;
    throw badRequest(
      `${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${unknown.join(", ")}`,
    );
  }
  if (!resource.custom) checkTypes(object, resource);
  if (resource.custom) setDefaults(object, resource.schema);
  return how === "Warn" ? unknown : [];
}

/** What is applied has to fit the schema; Kubernetes answers with 500 where it does not. */
export function checkTyped(config: KubeObject, resource: Resource): void {
  const unknown = prune(copy(config), resource.schema).map(
    (path) => `.${path}: field not declared in schema`,
  );
  const wrong = validate(config, resource.schema)
    .filter(({ reason }) => reason === "FieldValueTypeInvalid")
    .map(({ field, message }) => `.${field}: ${message}`);
  const found = [...unknown, ...wrong];
  if (found.length === 0) return;
  const { name, namespace = "" } = config.metadata;
  const what = `${namespace}/${name}; ${apiVersionOf(resource)}, Kind=${resource.kind}`;
  const why = found.length === 1 ? found[0] : ["errors:", ...found].join("\n  ");
  throw new ApiError(500, "", `failed to create typed patch object (${what}): ${why}`);
}

/** A built-in kind with a value of a wrong type cannot even be decoded. */
function checkTypes(object: KubeObject, resource: Resource): void {
  const wrong = validate(object, resource.schema).find(
    ({ reason }) => reason === "FieldValueTypeInvalid",
  );
  if (!wrong) return;
  const { kind, version } = resource;
  throw badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: json: cannot unmarshal into Go struct field ${wrong.field}: ${wrong.message}`,
  );
}

/** Everything that names, labels, schema, rules and kind have against an object. Throws a 422. */
export function check(object: KubeObject, old: KubeObject | undefined, resource: Resource): void {
  const causes = [
    ...checkMetadata(object, resource),
    ...validate(object, resource.schema),
    ...(kindOf(resource).check?.(object, old) ?? []),
  ];
  // As in Kubernetes, rules run on what the schema takes.
  if (causes.length === 0 && resource.custom)
    causes.push(...checkRules(object, old, resource.schema));
  if (causes.length > 0) throw invalid(subjectOf(resource, object.metadata.name), causes);
}

function checkMetadata({ metadata }: KubeObject, resource: Resource): Cause[] {
  const { name, labels = {}, ownerReferences = [] } = metadata;
  const found: Cause[] = [];
  const isPath = resource.group === "rbac.authorization.k8s.io";
  const isLabel = ["services", "namespaces"].includes(resource.plural) && !resource.custom;
  const pattern = isLabel && resource.plural === "services" ? LABEL : NAME;
  const longest = isLabel ? 63 : 253;
  if (!isPath && (!pattern.test(name) || name.length > longest)) {
    const rule = isLabel
      ? "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"
      : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
    const why = name.length > longest ? `must be no more than ${longest} characters` : rule;
    found.push(
      cause("metadata.name", "FieldValueInvalid", `Invalid value: ${JSON.stringify(name)}: ${why}`),
    );
  }
  for (const value of Object.values(labels)) {
    if (value.length <= 63 && LABEL_VALUE.test(value)) continue;
    const why = `Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and be no more than 63 characters`;
    found.push(cause("metadata.labels", "FieldValueInvalid", why));
  }
  if (ownerReferences.filter(({ controller }) => controller === true).length > 1) {
    const why = "Only one reference can have Controller set to true";
    found.push(cause("metadata.ownerReferences", "FieldValueInvalid", `Invalid value: ${why}`));
  }
  return found;
}

/** Refuses what is created in a namespace that is not there or is going. */
export function checkNamespace(cluster: Cluster, resource: Resource, object: KubeObject): void {
  const { namespace = "", name } = object.metadata;
  if (!resource.namespaced) return;
  const found = cluster.storage.get({ group: "", plural: "namespaces" }, undefined, namespace);
  const details = { name: namespace, kind: "namespaces" };
  if (!found) throw new ApiError(404, "NotFound", `namespaces "${namespace}" not found`, details);
  if (found.metadata.deletionTimestamp === undefined) return;
  const { group, plural } = resource;
  throw new ApiError(
    403,
    "Forbidden",
    `${group === "" ? plural : `${plural}.${group}`} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    { name, kind: plural, causes: [{ reason: "NamespaceTerminating", message: "", field: "" }] },
  );
}
