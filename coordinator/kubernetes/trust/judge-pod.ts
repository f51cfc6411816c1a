import type { V1Pod, V1ServiceAccount, V1TokenReview } from "@kubernetes/client-node";
import { TokenRefused } from "../../rpc/tokens.ts";
import { TOKEN_AUDIENCE } from "../children/agent-container.ts";
import { agentsName, JOB_LABEL } from "../children/identity.ts";
import { API_GROUP, KIND } from "../names.ts";
import { runIdOf } from "../run-id.ts";

const ACCOUNT_PREFIX = "system:serviceaccount:";
const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";
/** Of pods that run no more. */
const OVER = ["Succeeded", "Failed"];
/** As much as is told of what an API server says. */
const MAX_REASON_LENGTH = 200;

/** Of a token that is good, and of the pod that is asked about. */
export type Claims = {
  podName: string;
  podUid: string;
  /** Of the service account. */
  accountName: string;
  accountUid: string;
};

/** @throws TokenRefused if the token is not good, or of another pod or namespace. Pure. */
export function claimsOf(
  { status }: V1TokenReview,
  { namespace, podName }: { namespace: string; podName: string },
): Claims {
  const refuse = refuserOf(`pod ${podName}`);
  if (status?.authenticated !== true) {
    const why = status?.error?.slice(0, MAX_REASON_LENGTH) || "the API server does not know it";
    throw refuse(`its service-account token is not good: ${why}; the kubelet renews it in time`);
  }
  if (!status.audiences?.includes(TOKEN_AUDIENCE)) {
    throw refuse(`its service-account token is not for ${TOKEN_AUDIENCE}; mount one that is`);
  }
  const { username = "", uid: accountUid = "", extra = {} } = status.user ?? {};
  const prefix = `${ACCOUNT_PREFIX}${namespace}:`;
  if (!username.startsWith(prefix) || accountUid === "") {
    throw refuse(
      `its token is of ${username || "nobody"}, and this coordinator takes pods of namespace ${namespace}`,
    );
  }
  const [boundName, ...otherNames] = extra[POD_NAME] ?? [];
  const [podUid, ...otherUids] = extra[POD_UID] ?? [];
  if (!boundName || !podUid || otherNames.length + otherUids.length > 0) {
    throw refuse("its token is bound to no pod; mount one as a projected volume");
  }
  if (boundName !== podName) {
    throw refuse(`the token is of pod ${boundName}; an agent in a pod is called as its pod is`);
  }
  return { podName, podUid, accountName: username.slice(prefix.length), accountUid };
}

/**
 * The MoETrainingJob that the pod says it is of.
 *
 * @throws TokenRefused if it is not the token's pod, or not an agent's. Pure.
 */
export function jobOfPod(pod: V1Pod | undefined, claims: Claims): string {
  const { podName, podUid, accountName } = claims;
  const refuse = refuserOf(`pod ${podName}`);
  if (!pod) throw refuse("is gone");
  const { metadata, spec, status } = pod;
  if (metadata?.uid !== podUid) throw refuse("the token is of an earlier pod of that name");
  if (metadata.deletionTimestamp) throw refuse("is being deleted");
  if (OVER.includes(status?.phase ?? "")) throw refuse("is over");
  if (spec?.serviceAccountName !== accountName) {
    throw refuse(`is of service account ${spec?.serviceAccountName}, its token of ${accountName}`);
  }
  const job = metadata.labels?.[JOB_LABEL];
  if (!job) throw refuse(`has no label ${JOB_LABEL}, as pods of a ${KIND} have`);
  const account = agentsName({ metadata: { name: job } });
  if (accountName !== account) {
    throw refuse(`is of service account ${accountName}, and those of ${KIND} ${job} of ${account}`);
  }
  return job;
}

/**
 * The run of the MoETrainingJob that owns the service account.
 *
 * @throws TokenRefused if that is not the job. Pure.
 */
export function runOfAccount(
  account: V1ServiceAccount | undefined,
  { accountName, accountUid }: Claims,
  job: string,
): string {
  const refuse = refuserOf(`service account ${accountName}`);
  if (account?.metadata?.uid !== accountUid) {
    throw refuse("is gone, or another one than the token was made for");
  }
  const owner = account.metadata.ownerReferences?.find(
    ({ apiVersion, kind, controller }) =>
      controller === true && kind === KIND && apiVersion.startsWith(`${API_GROUP}/`),
  );
  if (owner?.name !== job) throw refuse(`is not owned by ${KIND} ${job}`);
  return runIdOf({ name: job, uid: owner.uid });
}

/** One sentence each, about whom it names. */
export function refuserOf(whom: string): (why: string) => TokenRefused {
  return (why) => new TokenRefused(`${whom}: ${why}`);
}
