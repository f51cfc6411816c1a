import type { Cause } from "../api-error.ts";
import { cause, invalidValue } from "../crd/validate.ts";
import { at, isObject, type JsonObject, type KubeObject, objectsAt, same } from "../json.ts";
import { changed } from "./immutable.ts";
import type { Kind } from "./kinds.ts";
import { checkPodSpec, setPodDefaults } from "./pod.ts";

const FIXED = [
  ...["completionMode", "selector", "podFailurePolicy", "backoffLimitPerIndex", "managedBy"],
  "podReplacementPolicy",
];
/** Parts of the template that may change while a job is suspended and has not started. */
const SCHEDULING = ["nodeSelector", "tolerations", "affinity", "schedulingGates"];

export const job: Kind = {
  hasGeneration: true,
  setDefaults(object) {
    const spec = isObject(object.spec) ? object.spec : {};
    object.spec = spec;
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    spec.parallelism ??= 1;
    spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2147483647;
    spec.completionMode ??= "NonIndexed";
    spec.suspend ??= false;
    spec.manualSelector ??= false;
    spec.podReplacementPolicy ??= isObject(spec.podFailurePolicy)
      ? "Failed"
      : "TerminatingOrFailed";
    const template = isObject(spec.template) ? spec.template : {};
    spec.template = template;
    if (isObject(template.spec)) setPodDefaults(template.spec);
    if (spec.manualSelector) return;
    const { uid = "", name } = object.metadata;
    const labels = {
      "batch.kubernetes.io/controller-uid": uid,
      "batch.kubernetes.io/job-name": name,
      "controller-uid": uid,
      "job-name": name,
    };
    spec.selector = { matchLabels: { "batch.kubernetes.io/controller-uid": uid } };
    const metadata = isObject(template.metadata) ? template.metadata : {};
    const given = isObject(metadata.labels) ? metadata.labels : {};
    template.metadata = { ...metadata, labels: { ...given, ...labels } };
  },
  check(object, old) {
    const spec = object.spec ?? {};
    const podSpec = at(spec, "template", "spec");
    return [
      ...(isObject(podSpec) ? checkPodSpec(podSpec, "spec.template.spec") : []),
      ...checkSpec(spec, podSpec),
      ...changed(object, old, FIXED),
      ...checkCompletions(object, old),
      ...checkTemplate(object, old),
    ];
  },
};

function checkSpec(spec: JsonObject, podSpec: JsonObject[string]): Cause[] {
  const found: Cause[] = [];
  const restart = at(podSpec, "restartPolicy");
  if (restart !== "Never" && restart !== "OnFailure") {
    const why = `Unsupported value: ${JSON.stringify(restart)}: supported values: "OnFailure", "Never"`;
    found.push(cause("spec.template.spec.restartPolicy", "FieldValueNotSupported", why));
  }
  if (spec.podFailurePolicy !== undefined && restart !== "Never") {
    const why = "only supported when restartPolicy: Never";
    found.push(invalidValue("spec.template.spec.restartPolicy", restart ?? null, why));
  }
  if (spec.podFailurePolicy !== undefined && spec.podReplacementPolicy !== "Failed") {
    const why = `Unsupported value: ${JSON.stringify(spec.podReplacementPolicy)}: supported values: "Failed"`;
    found.push(cause("spec.podReplacementPolicy", "FieldValueNotSupported", why));
  }
  if (spec.completionMode === "Indexed" && spec.completions === undefined) {
    const why = "Required value: when completion mode is Indexed";
    found.push(cause("spec.completions", "FieldValueRequired", why));
  }
  if (spec.backoffLimitPerIndex !== undefined && spec.completionMode !== "Indexed") {
    const why = "requires indexed completion mode";
    found.push(invalidValue("spec.backoffLimitPerIndex", spec.backoffLimitPerIndex, why));
  }
  objectsAt(spec, "podFailurePolicy", "rules").forEach((rule, index) => {
    const kinds = [rule.onExitCodes, rule.onPodConditions].filter((each) => each !== undefined);
    if (kinds.length === 1) return;
    const why = "specifying one of OnExitCodes and OnPodConditions is required";
    found.push(invalidValue(`spec.podFailurePolicy.rules[${index}]`, rule, why));
  });
  return found;
}

/** Completions of an Indexed job may change together with parallelism, of others never. */
function checkCompletions(object: KubeObject, old: KubeObject | undefined): Cause[] {
  const spec = object.spec ?? {};
  const isElastic =
    spec.completionMode === "Indexed" &&
    spec.completions === spec.parallelism &&
    old?.spec?.completions === old?.spec?.parallelism;
  return isElastic ? [] : changed(object, old, ["completions"]);
}

function checkTemplate(object: KubeObject, old: KubeObject | undefined): Cause[] {
  const maySchedule = old?.spec?.suspend === true && at(old, "status", "startTime") === undefined;
  if (!old || same(fixed(object, maySchedule), fixed(old, maySchedule))) return [];
  return changed(object, old, ["template"]);
}

function fixed(object: KubeObject, maySchedule: boolean): JsonObject {
  const template = at(object, "spec", "template");
  const { metadata, spec } = isObject(template) ? template : {};
  if (!maySchedule || !isObject(spec)) return { metadata, spec };
  const rest = { ...spec };
  for (const field of SCHEDULING) delete rest[field];
  return { spec: rest };
}
