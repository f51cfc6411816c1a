import { isMapping } from "../../spec/mapping.ts";
import type { MoETrainingJob } from "../moe-training-job.ts";
import type { ChildrenOptions } from "./options.ts";
import { runsMounts, runsVolume } from "./runs-mounts.ts";

/** The container that the exit codes of the failure policy are of, and templates patch. */
export const AGENT_CONTAINER = "agent";

/** Whom a service-account token must be for, so that no other service takes it for its own. */
export const TOKEN_AUDIENCE = "moestro";
export const TOKEN_DIRECTORY = "/var/run/secrets/moestro";
const TOKEN_FILE = "token";
/** What the coordinators are known by, in the job's namespace; the operator keeps it there. */
export const AUTHORITY_CONFIG_MAP = "moestro-authority";
export const AUTHORITY_KEY = "ca.crt";
/** Certificates, and what is kept on the node. */
const STATE_DIRECTORY = "/var/lib/moestro";

const GPU_RESOURCE = "nvidia.com/gpu";
/** What a rank asks for beside its GPU, unless the template says. */
const RANK_CPUS = 1;
const RANK_MEMORY_GI = 2;
const RANK_SHARED_MEMORY_GI = 1;
const TOKEN_LIFETIME_S = 3600;

/** Whether ranks compute on CPUs, and pods ask for no GPUs. */
export function isOnCpus({ spec }: MoETrainingJob): boolean {
  const { cluster } = spec;
  return isMapping(cluster) && (cluster.device === "cpu" || cluster.gpu === "cpu");
}

/** @param leaveSeconds for ranks to go elsewhere when the pod is to end */
export function agentContainer(
  job: MoETrainingJob,
  options: ChildrenOptions,
  leaveSeconds: number,
) {
  const onCpus = isOnCpus(job);
  const { gpusPerNode } = job.spec;
  const gpus = onCpus ? {} : { [GPU_RESOURCE]: gpusPerNode };
  return {
    name: AGENT_CONTAINER,
    image: onCpus ? options.images.cpu : options.images.cuda,
    args: [
      "agent",
      `--coordinator=${options.coordinators.join(",")}`,
      "--agent-id=$(POD_NAME)",
      "--address=$(POD_IP)",
      `--slots=${gpusPerNode}`,
      "--print-logs",
      `--leave-seconds=${leaveSeconds}`,
      `--token-file=${TOKEN_DIRECTORY}/${TOKEN_FILE}`,
      `--authority=${TOKEN_DIRECTORY}/${AUTHORITY_KEY}`,
    ],
    env: [
      { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
      { name: "MOESTRO_HOME", value: STATE_DIRECTORY },
      // Compilers of kernels keep what they made below it.
      { name: "HOME", value: STATE_DIRECTORY },
    ],
    resources: {
      requests: {
        cpu: String(RANK_CPUS * gpusPerNode),
        memory: `${RANK_MEMORY_GI * gpusPerNode}Gi`,
        ...gpus,
      },
      ...(onCpus ? {} : { limits: gpus }),
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [
      { name: "state", mountPath: STATE_DIRECTORY },
      { name: "temporary", mountPath: "/tmp" },
      { name: "shared-memory", mountPath: "/dev/shm" },
      ...runsMounts(job, options),
      { name: "token", mountPath: TOKEN_DIRECTORY, readOnly: true },
    ],
  };
}

/** What the container mounts. */
export function agentVolumes({ spec }: MoETrainingJob, options: ChildrenOptions) {
  const sizeLimit = `${RANK_SHARED_MEMORY_GI * spec.gpusPerNode}Gi`;
  const token = {
    ...{ audience: TOKEN_AUDIENCE, path: TOKEN_FILE, expirationSeconds: TOKEN_LIFETIME_S },
  };
  const authority = {
    name: AUTHORITY_CONFIG_MAP,
    items: [{ key: AUTHORITY_KEY, path: AUTHORITY_KEY }],
  };
  return [
    { name: "state", emptyDir: {} },
    { name: "temporary", emptyDir: {} },
    { name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit } },
    runsVolume(options),
    {
      name: "token",
      projected: { sources: [{ serviceAccountToken: token }, { configMap: authority }] },
    },
  ];
}
