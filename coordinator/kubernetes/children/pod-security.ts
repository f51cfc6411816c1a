import { isMapping } from "../../spec/mapping.ts";

type Mapping = Record<string, unknown>;

/** Volumes of the restricted standard. */
const VOLUMES = new Set([
  ...["configMap", "csi", "downwardAPI", "emptyDir"],
  ...["ephemeral", "persistentVolumeClaim", "projected", "secret"],
]);
const CAPABILITY = "NET_BIND_SERVICE";

/**
 * What of a pod is not of Kubernetes' restricted Pod Security Standard, one line each: pods with
 * any of it are refused by namespaces that enforce the standard.
 */
export function restrictedProblems(pod: Mapping): string[] {
  const ofPod = section(pod, "securityContext");
  const containers = [
    ...entries(pod, "containers"),
    ...entries(pod, "initContainers"),
    ...entries(pod, "ephemeralContainers"),
  ];
  return [
    ...["hostNetwork", "hostPID", "hostIPC"].filter((key) => pod[key] === true),
    ...entries(pod, "volumes")
      .filter((volume) => Object.keys(volume).some((key) => key !== "name" && !VOLUMES.has(key)))
      .map((volume) => `volume ${volume.name} is of a kind that the standard does not have`),
    ...(ofPod.runAsUser === 0 ? ["the pod runs as root"] : []),
    ...(Array.isArray(ofPod.sysctls) && ofPod.sysctls.length > 0 ? ["sysctls are set"] : []),
    ...containers.flatMap((container) =>
      containerProblems(container, ofPod).map((what) => `container ${container.name} ${what}`),
    ),
  ];
}

function containerProblems(container: Mapping, ofPod: Mapping): string[] {
  const context = section(container, "securityContext");
  const capabilities = section(context, "capabilities");
  const profile = section({ ...ofPod, ...context }, "seccompProfile");
  const drop = list(capabilities, "drop");
  const add = list(capabilities, "add").filter((one) => one !== CAPABILITY);
  return [
    ...(context.privileged === true ? ["is privileged"] : []),
    ...(context.allowPrivilegeEscalation === false ? [] : ["may gain privileges"]),
    ...(drop.includes("ALL") ? [] : ["does not drop all capabilities"]),
    ...(add.length > 0 ? [`adds ${add.join(", ")}`] : []),
    ...((context.runAsNonRoot ?? ofPod.runAsNonRoot) === true ? [] : ["may run as root"]),
    ...(context.runAsUser === 0 ? ["runs as root"] : []),
    ...(["RuntimeDefault", "Localhost"].includes(String(profile.type))
      ? []
      : ["has no seccomp profile"]),
    ...entries(container, "ports")
      .filter(({ hostPort }) => hostPort !== undefined && hostPort !== 0)
      .map(({ hostPort }) => `uses the host's port ${hostPort}`),
  ];
}

function section(parent: Mapping, key: string): Mapping {
  const value = parent[key];
  return isMapping(value) ? value : {};
}

function list(parent: Mapping, key: string): unknown[] {
  const value = parent[key];
  return Array.isArray(value) ? value : [];
}

function entries(parent: Mapping, key: string): Mapping[] {
  return list(parent, key).filter(isMapping);
}
