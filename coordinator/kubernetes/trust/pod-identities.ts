import { AuthenticationV1Api, CoreV1Api, type KubeConfig } from "@kubernetes/client-node";
import { MoestroError } from "../../errors.ts";
import type { PodIdentities } from "../../rpc/join-service.ts";
import { TOKEN_AUDIENCE } from "../children/agent-container.ts";
import { askApi } from "./api-call.ts";
import { glanceAtToken } from "./glance-at-token.ts";
import { claimsOf, jobOfPod, runOfAccount } from "./judge-pod.ts";

/** Three calls fit into the time that a joining agent waits. */
const TIMEOUT_MS = 4000;
/** Joining asks for no certificate: whoever sends what looks like a token costs the API server a call. */
const MAX_AT_ONCE = 64;
/** So that no pod keeps all others from joining; those behind one address share it. */
const MAX_FROM_ONE = 8;

/** Pods of MoETrainingJobs in a namespace, as the API server knows them. */
export function podIdentities(
  config: KubeConfig,
  namespace: string,
  timeoutMs = TIMEOUT_MS,
): PodIdentities {
  const authentication = config.makeApiClient(AuthenticationV1Api);
  const core = config.makeApiClient(CoreV1Api);
  let numAsking = 0;
  const numFrom = new Map<string, number>();

  const identify = async (token: string, podName: string) => {
    const body = {
      ...{ apiVersion: "authentication.k8s.io/v1", kind: "TokenReview" },
      spec: { token, audiences: [TOKEN_AUDIENCE] },
    };
    const review = await askApi("review tokens", timeoutMs, (options) =>
      authentication.createTokenReview({ body }, options),
    );
    const claims = claimsOf(review ?? body, { namespace, podName });
    const pod = await askApi(`read pod ${podName}`, timeoutMs, (options) =>
      core.readNamespacedPod({ name: podName, namespace }, options),
    );
    const job = jobOfPod(pod, claims);
    const name = claims.accountName;
    const account = await askApi(`read service account ${name}`, timeoutMs, (options) =>
      core.readNamespacedServiceAccount({ name, namespace }, options),
    );
    return { runId: runOfAccount(account, claims, job) };
  };

  return {
    async identify(token, podName, from = "") {
      glanceAtToken(token, { namespace, podName, nowMs: Date.now() });
      const numOfIts = numFrom.get(from) ?? 0;
      if (from !== "" && numOfIts >= MAX_FROM_ONE) throw busy(`${MAX_FROM_ONE} of this address`);
      if (numAsking >= MAX_AT_ONCE) throw busy(`${MAX_AT_ONCE} agents`);
      numAsking += 1;
      numFrom.set(from, numOfIts + 1);
      try {
        return await identify(token, podName);
      } finally {
        numAsking -= 1;
        const left = (numFrom.get(from) ?? 1) - 1;
        if (left > 0) numFrom.set(from, left);
        else numFrom.delete(from);
      }
    },
  };
}

const busy = (who: string) => new MoestroError("environment", `${who} join right now; try again`);
