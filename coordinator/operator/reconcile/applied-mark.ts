import { createHash } from "node:crypto";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { ObservedObject } from "./observation.ts";

/** Says what was applied last: the API server changes how it is written. */
export const APPLIED = "moestro.dev/applied";

export function annotated<Child extends KubernetesObject>(
  child: Child,
  annotations: Record<string, string>,
): Child {
  const metadata = {
    ...child.metadata,
    annotations: { ...child.metadata.annotations, ...annotations },
  };
  return { ...child, metadata };
}

export function marked(child: KubernetesObject): KubernetesObject {
  return annotated(child, { [APPLIED]: digest(child) });
}

export function digest(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
}

/** Whether everything the child says is what was said before. */
export function isApplied(child: KubernetesObject, { metadata }: ObservedObject): boolean {
  return Object.entries(child.metadata.annotations ?? {}).every(
    ([key, value]) => metadata.annotations?.[key] === value,
  );
}
