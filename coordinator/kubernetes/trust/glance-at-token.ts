import { isMapping } from "../../spec/mapping.ts";
import { TOKEN_AUDIENCE } from "../children/agent-container.ts";
import { refuserOf } from "./judge-pod.ts";

/** By which the clocks of the API server and of the coordinator may differ. */
const CLOCK_SKEW_MS = 60_000;

/**
 * Refuses what says of itself that it is no token of that pod, before anybody is asked about it.
 * Nothing that it says is believed for that: the API server judges the rest. Pure.
 *
 * @throws TokenRefused
 */
export function glanceAtToken(
  token: string,
  { namespace, podName, nowMs }: { namespace: string; podName: string; nowMs: number },
): void {
  const refuse = refuserOf(`pod ${podName}`);
  const claims = claimsIn(token);
  if (!claims) throw refuse("its service-account token is not good: it is no JSON web token");
  const { aud, exp } = claims;
  if (!(Array.isArray(aud) ? aud : [aud]).includes(TOKEN_AUDIENCE)) {
    throw refuse(`its service-account token is not for ${TOKEN_AUDIENCE}; mount one that is`);
  }
  if (typeof exp !== "number" || exp * 1000 + CLOCK_SKEW_MS < nowMs) {
    throw refuse("its service-account token has expired; the kubelet renews it in time");
  }
  const bound = section(claims, "kubernetes.io");
  if (bound.namespace !== namespace) {
    throw refuse(
      `its token is of namespace ${shown(bound.namespace)}, and this coordinator takes pods of namespace ${namespace}`,
    );
  }
  const { name } = section(bound, "pod");
  if (name === undefined) {
    throw refuse("its token is bound to no pod; mount one as a projected volume");
  }
  if (name !== podName) {
    throw refuse(`the token is of pod ${shown(name)}; an agent in a pod is called as its pod is`);
  }
}

function claimsIn(token: string): Record<string, unknown> | undefined {
  const [, payload = "", , ...others] = token.split(".", 4);
  if (others.length > 0) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return isMapping(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

function section(parent: Record<string, unknown>, key: string): Record<string, unknown> {
  const value = parent[key];
  return isMapping(value) ? value : {};
}

/** Of what anybody may have written. */
function shown(name: unknown): string {
  return typeof name === "string" && /^[\w.-]{1,253}$/.test(name) ? name : "none";
}
