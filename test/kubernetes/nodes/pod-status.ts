import { type JsonObject, type KubeObject, objectsAt, textAt } from "../json.ts";
import type { Ending } from "./container.ts";

/** What a container is doing, as its status says it. */
export type ContainerState =
  | { is: "waiting"; reason: string; message?: string }
  | { is: "running"; startedAt: string }
  | { is: "terminated"; ending: Ending; startedAt: string; finishedAt: string };

export type ContainerReport = { state: ContainerState; restartCount: number };

/** A pod's status out of what its containers do. */
export function podStatus(
  pod: KubeObject,
  reports: ReadonlyMap<string, ContainerReport>,
  facts: { now: string; podIP: string; startTime: string },
): JsonObject {
  const containers = objectsAt(pod, "spec", "containers");
  const states = containers.flatMap(({ name }) => reports.get(String(name))?.state ?? []);
  const phase = phaseOf(states, textAt(pod, "spec", "restartPolicy"));
  const isReady = phase === "Running" && states.every(({ is }) => is === "running");
  const kept = objectsAt(pod, "status", "conditions").filter(
    ({ type }) => type === "DisruptionTarget" || type === "PodScheduled",
  );
  const condition = (type: string, isTrue: boolean): JsonObject => ({
    ...{ type, status: isTrue ? "True" : "False", lastTransitionTime: facts.now },
    ...(isTrue || phase !== "Succeeded" ? {} : { reason: "PodCompleted" }),
  });
  return {
    ...pod.status,
    phase,
    conditions: [
      ...kept,
      condition("Initialized", true),
      condition("ContainersReady", isReady),
      condition("Ready", isReady),
    ],
    hostIP: "127.0.0.1",
    podIP: facts.podIP,
    podIPs: [{ ip: facts.podIP }],
    startTime: facts.startTime,
    containerStatuses: containers.map((container) => statusOf(container, reports)),
  };
}

function phaseOf(states: readonly ContainerState[], restartPolicy: string): string {
  const endings = states.flatMap((state) => (state.is === "terminated" ? [state.ending] : []));
  if (states.length > 0 && endings.length === states.length) {
    const failed = endings.some(({ exitCode }) => exitCode !== 0);
    const stays = restartPolicy === "Never" || (restartPolicy === "OnFailure" && !failed);
    if (stays) return failed ? "Failed" : "Succeeded";
    return "Running";
  }
  return states.some(({ is }) => is !== "waiting") ? "Running" : "Pending";
}

function statusOf(
  container: JsonObject,
  reports: ReadonlyMap<string, ContainerReport>,
): JsonObject {
  const name = textAt(container, "name");
  const report = reports.get(name);
  const state = report?.state;
  return {
    name,
    image: textAt(container, "image"),
    imageID: "",
    ready: state?.is === "running",
    started: state?.is === "running",
    restartCount: report?.restartCount ?? 0,
    state: state ? stateOf(state, name) : { waiting: { reason: "ContainerCreating" } },
  };
}

function stateOf(state: ContainerState, name: string): JsonObject {
  if (state.is === "waiting") {
    const { reason, message = "" } = state;
    return { waiting: { reason, message } };
  }
  if (state.is === "running") return { running: { startedAt: state.startedAt } };
  const { ending, startedAt, finishedAt } = state;
  return {
    terminated: {
      ...ending,
      reason: ending.exitCode === 0 ? "Completed" : "Error",
      startedAt,
      finishedAt,
      containerID: `process://${name}`,
    },
  };
}
