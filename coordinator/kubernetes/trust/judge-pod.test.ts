import assert from "node:assert/strict";
import { test } from "node:test";
import type { V1OwnerReference, V1Pod, V1TokenReviewStatus } from "@kubernetes/client-node";
import fc from "fast-check";
import { TokenRefused } from "../../rpc/tokens.ts";
import { type Claims, claimsOf, jobOfPod, runOfAccount } from "./judge-pod.ts";

const CLAIMS: Claims = {
  ...{ podName: "demo-agents-0", podUid: "p1" },
  ...{ accountName: "demo-agents", accountUid: "s1" },
};
const ASKED = { namespace: "research", podName: CLAIMS.podName };
const EXTRA = {
  "authentication.kubernetes.io/pod-name": [CLAIMS.podName],
  "authentication.kubernetes.io/pod-uid": ["p1"],
};
const USER = { username: "system:serviceaccount:research:demo-agents", uid: "s1", extra: EXTRA };
const GOOD: V1TokenReviewStatus = { authenticated: true, audiences: ["moestro"], user: USER };
const POD: V1Pod = {
  metadata: { name: CLAIMS.podName, uid: "p1", labels: { "moestro.dev/job": "demo" } },
  spec: { serviceAccountName: "demo-agents", containers: [] },
  status: { phase: "Running" },
};
const OWNER: V1OwnerReference = {
  ...{ apiVersion: "moestro.dev/v1alpha1", kind: "MoETrainingJob", name: "demo", uid: "u1" },
  controller: true,
};

const judgeReview = (status: V1TokenReviewStatus) =>
  claimsOf({ spec: { token: "" }, status }, ASKED);
const judgeOwners = (...ownerReferences: V1OwnerReference[]) =>
  runOfAccount({ metadata: { uid: "s1", ownerReferences } }, CLAIMS, "demo");

test("a good token, its pod and its service account lead to the run of their job", () => {
  assert.deepEqual(judgeReview(GOOD), CLAIMS);
  assert.equal(jobOfPod(POD, CLAIMS), "demo");
  assert.equal(judgeOwners(OWNER), "demo-u1");
});

const REVIEWS: [sentence: string, status: V1TokenReviewStatus, why: RegExp][] = [
  ["nothing", {}, /token is not good: the API server does not know it/],
  ["a reason without an end", { error: "x".repeat(9999) }, /not good: x{200};/],
  [
    "a review by a server that knows no audiences",
    { ...GOOD, audiences: [] },
    /token is not for moestro; mount one that is/,
  ],
  ["a person's", { ...GOOD, user: { ...USER, username: "ada" } }, /its token is of ada, and/],
  ["nobody's", { ...GOOD, user: {} }, /its token is of nobody, and/],
  [
    "one bound to two pods",
    {
      ...GOOD,
      user: {
        ...USER,
        extra: { ...EXTRA, "authentication.kubernetes.io/pod-uid": ["p1", "p2"] },
      },
    },
    /its token is bound to no pod/,
  ],
];

for (const [sentence, status, why] of REVIEWS) {
  test(`a token is refused: ${sentence}`, () => {
    assert.throws(() => judgeReview(status), refusal("pod demo-agents-0: ", why));
  });
}

const PODS: [sentence: string, pod: V1Pod | undefined, why: RegExp][] = [
  ["gone", undefined, /is gone$/],
  ["another of its name", { ...POD, metadata: { ...POD.metadata, uid: "p2" } }, /an earlier pod/],
  [
    "being deleted",
    { ...POD, metadata: { ...POD.metadata, deletionTimestamp: new Date() } },
    /is being deleted$/,
  ],
  ["over", { ...POD, status: { phase: "Failed" } }, /is over$/],
  [
    "of another service account",
    { ...POD, spec: { serviceAccountName: "default", containers: [] } },
    /is of service account default, its token of demo-agents$/,
  ],
  ["of no job", { ...POD, metadata: { ...POD.metadata, labels: {} } }, /has no label moestro/],
];

for (const [sentence, pod, why] of PODS) {
  test(`a pod is refused: ${sentence}`, () => {
    assert.throws(() => jobOfPod(pod, CLAIMS), refusal("pod demo-agents-0: ", why));
  });
}

const OWNERS: [sentence: string, owners: V1OwnerReference[]][] = [
  ["nobody", []],
  ["another job", [{ ...OWNER, name: "demo-2" }]],
  ["another kind", [{ ...OWNER, kind: "Job" }]],
  ["another group", [{ ...OWNER, apiVersion: "moestro.dev.example.org/v1" }]],
  ["one that does not control it", [{ ...OWNER, controller: false }]],
];

for (const [sentence, owners] of OWNERS) {
  test(`a service account is refused: owned by ${sentence}`, () => {
    const why = refusal("service account demo-agents: ", /is not owned by MoETrainingJob demo$/);
    assert.throws(() => judgeOwners(...owners), why);
  });
}

test("a service account that came again is another one", () => {
  const account = { metadata: { uid: "s2", ownerReferences: [OWNER] } };
  for (const found of [account, undefined, {}]) {
    assert.throws(
      () => runOfAccount(found, CLAIMS, "demo"),
      refusal("service account demo-agents: ", /is gone, or another one than the token/),
    );
  }
});

test("whatever else a review holds, only the pod that it names is believed", () => {
  const values = fc.option(fc.array(fc.constantFrom("p1", "demo-agents-0", "")), {
    nil: undefined,
  });
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(fc.constantFrom("moestro", "api")),
      fc.constantFrom(USER.username, "system:serviceaccount:research", "system:node:a"),
      values,
      values,
      (authenticated, audiences, username, names, uids) => {
        const extra: Record<string, string[]> = {};
        if (names) extra["authentication.kubernetes.io/pod-name"] = names;
        if (uids) extra["authentication.kubernetes.io/pod-uid"] = uids;
        const user = { username, uid: "s1", extra };
        const isGood =
          authenticated &&
          audiences.includes("moestro") &&
          username === USER.username &&
          names?.join() === CLAIMS.podName &&
          uids?.length === 1 &&
          uids[0] !== "";
        try {
          judgeReview({ authenticated, audiences, user });
          assert.ok(isGood);
        } catch (error) {
          assert.ok(error instanceof TokenRefused && !isGood, String(error));
        }
      },
    ),
  );
});

/** One sentence, about what it begins with. */
function refusal(subject: string, why: RegExp) {
  return (error: Error) => {
    assert.ok(error instanceof TokenRefused);
    assert.ok(error.message.startsWith(subject), error.message);
    assert.match(error.message, why);
    return true;
  };
}
