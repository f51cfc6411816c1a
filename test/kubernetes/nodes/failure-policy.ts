import { type JsonObject, type KubeObject, objectsAt } from "../json.ts";

export type Verdict = { action: "FailJob" | "FailIndex" | "Ignore" | "Count"; message: string };

/** What a Job's podFailurePolicy says of a pod that failed: the first rule that matches. Pure. */
export function judge(job: KubeObject, pod: KubeObject): Verdict {
  const rules = objectsAt(job, "spec", "podFailurePolicy", "rules");
  for (const [index, rule] of rules.entries()) {
    const why = matchesExit(rule, pod) ?? matchesCondition(rule, pod);
    if (why === undefined) continue;
    const action = String(rule.action) as Verdict["action"];
    return { action, message: `${why} matching ${action} rule at index ${index}` };
  }
  return { action: "Count", message: "" };
}

function podText({ metadata }: KubeObject): string {
  return `pod ${metadata.namespace}/${metadata.name}`;
}

function matchesExit(rule: JsonObject, pod: KubeObject): string | undefined {
  const { containerName, operator, values } = (rule.onExitCodes ?? {}) as JsonObject;
  if (!Array.isArray(values)) return undefined;
  for (const status of objectsAt(pod, "status", "containerStatuses")) {
    const { terminated } = (status.state ?? {}) as { terminated?: JsonObject };
    const exitCode = Number(terminated?.exitCode ?? 0);
    if (exitCode === 0 || (containerName !== undefined && containerName !== status.name)) continue;
    if (values.includes(exitCode) === (operator === "In")) {
      return `Container ${String(status.name)} for ${podText(pod)} failed with exit code ${exitCode}`;
    }
  }
  return undefined;
}

function matchesCondition(rule: JsonObject, pod: KubeObject): string | undefined {
  const conditions = objectsAt(pod, "status", "conditions");
  const patterns = objectsAt(rule, "onPodConditions");
  const hit = patterns.find(({ type, status = "True" }) =>
    conditions.some((condition) => condition.type === type && condition.status === status),
  );
  return hit && `${capital(podText(pod))} has condition ${String(hit.type)}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
