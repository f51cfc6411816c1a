import { conditionsOf } from "./agents.ts";
import type { ObservedObject } from "./observation.ts";

/** Whether it holds a node, or is to. */
export function isLive({ status }: ObservedObject): boolean {
  return status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

export function isReady(pod: ObservedObject): boolean {
  return conditionsOf(pod).some(({ type, status }) => type === "Ready" && status === "True");
}
