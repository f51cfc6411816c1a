import { isMapping } from "../../spec/mapping.ts";
import type { JobPath, Problem } from "../../spec/problems.ts";
import { CHILDREN_OPTIONS } from "./options.ts";

/** Claims of the manifests that hold the authority's key, and the store. */
export const RESERVED_CLAIMS: readonly string[] = ["moestro-state", "data-moestro-store-0"];
/** Secrets of the manifests: the URL of Redis, with its password. */
export const RESERVED_SECRETS: readonly string[] = ["moestro-redis"];
/** What pods may have beyond none: RDMA pins memory. */
const CAPABILITIES = ["IPC_LOCK", "NET_BIND_SERVICE"];

const OF_THE_NODE = "reaches the node and all that runs there; remove it";
const HAS_RUNS = `claim ${CHILDREN_OPTIONS.runsClaim} is mounted by every job already, to be read; remove it`;
const NO_TOKEN = "gives the pod a token of the cluster's API; jobs have none, remove it";
/** What may not be true, or there at all. */
const TRUE = new Set(["hostNetwork", "hostPID", "hostIPC", "privileged", "hostProcess"]);
const NAMES_SECRET = /^secret$|secret(key)?ref$/i;
const NAMES_CLAIM = /^dataSource(Ref)?$/;

/**
 * What of a pod template's patch reaches beyond the job: nodes, identities, and what the
 * coordinator keeps. Whoever may create a job may have the coordinator make any pod otherwise,
 * for it is the coordinator whose rights make them. Pure.
 */
export function reachProblems(spec: unknown, path: JobPath): Problem[] {
  if (Array.isArray(spec)) {
    return spec.flatMap((entry, index) => reachProblems(entry, [...path, index]));
  }
  if (!isMapping(spec)) return [];
  return Object.entries(spec).flatMap(([key, value]) => {
    const place = [...path, key];
    const message = whyTooFar(key, value);
    return message === undefined ? reachProblems(value, place) : [{ path: place, message }];
  });
}

function whyTooFar(key: string, value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (TRUE.has(key)) return value === true ? OF_THE_NODE : undefined;
  if (key === "hostPath") return OF_THE_NODE;
  if (key === "hostPort") return value === 0 ? undefined : OF_THE_NODE;
  if (key === "capabilities") return whyNotCapable(value);
  if (key === "serviceAccountToken" || key === "serviceAccount") return NO_TOKEN;
  if (key === "automountServiceAccountToken") return value === false ? undefined : NO_TOKEN;
  const claim = key === "claimName" ? value : NAMES_CLAIM.test(key) ? nameOf(value) : undefined;
  if (isIn(RESERVED_CLAIMS, claim)) return whyReserved(`claim ${claim}`);
  if (key === "claimName" && value === CHILDREN_OPTIONS.runsClaim) return HAS_RUNS;
  const secret = key === "secretName" ? value : NAMES_SECRET.test(key) ? nameOf(value) : undefined;
  if (isIn(RESERVED_SECRETS, secret)) return whyReserved(`secret ${secret}`);
  return undefined;
}

function whyNotCapable(value: unknown): string | undefined {
  const { add } = isMapping(value) ? value : {};
  const beyond = (Array.isArray(add) ? add : []).filter((one) => !isIn(CAPABILITIES, one));
  if (beyond.length === 0) return undefined;
  return `adds ${beyond.join(", ")}; jobs may add ${CAPABILITIES.join(" and ")}, remove the others`;
}

const whyReserved = (what: string) => `${what} is the coordinator's alone; use one of your own`;
const nameOf = (value: unknown) => (isMapping(value) ? value.name : undefined);
const isIn = (names: readonly string[], name: unknown) =>
  typeof name === "string" && names.includes(name);
