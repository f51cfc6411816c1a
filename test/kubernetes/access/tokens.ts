import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Cluster } from "../cluster.ts";
import { at, isObject, type Json, type JsonObject, textAt } from "../json.ts";

/** Who asks, as RBAC sees it. */
export type User = {
  username: string;
  uid: string;
  groups: string[];
  extra: { [key: string]: string[] };
};

export const ADMIN: User = {
  username: "admin",
  uid: "admin",
  groups: ["system:masters", "system:authenticated"],
  extra: {},
};
export const ANONYMOUS: User = {
  username: "system:anonymous",
  uid: "",
  groups: ["system:unauthenticated"],
  extra: {},
};
export const API_AUDIENCE = "https://kubernetes.default.svc";
const ACCOUNTS = { group: "", plural: "serviceaccounts" };
const PODS = { group: "", plural: "pods" };

export type TokenRequest = {
  namespace: string;
  serviceAccount: string;
  audiences?: readonly string[];
  expirationSeconds?: number;
  pod?: { name: string; uid: string };
};

/** Makes and checks tokens of service accounts: JWTs of one secret, bound to pods that live. */
export class Tokens {
  private readonly cluster: Cluster;
  private readonly secret = randomBytes(32);

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  issue(request: TokenRequest): { token: string; expiresAtMs: number } {
    const { namespace, serviceAccount, audiences = [API_AUDIENCE], pod } = request;
    const now = this.cluster.now();
    const expiresAtMs = now + (request.expirationSeconds ?? 3600) * 1000;
    const account = this.cluster.storage.get(ACCOUNTS, namespace, serviceAccount);
    const claims: JsonObject = {
      aud: [...audiences],
      exp: Math.floor(expiresAtMs / 1000),
      iat: Math.floor(now / 1000),
      iss: API_AUDIENCE,
      sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
      "kubernetes.io": {
        namespace,
        serviceaccount: { name: serviceAccount, uid: account?.metadata.uid ?? "" },
        ...(pod ? { pod } : {}),
      },
    };
    const text = [{ alg: "HS256", typ: "JWT" }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return { token: `${text}.${this.sign(text)}`, expiresAtMs };
  }

  /** Whom a token stands for, or why it does not. */
  review(
    token: string,
    audiences: readonly string[] = [API_AUDIENCE],
  ): { user: User; audiences: string[] } | { error: string } {
    const claims = this.read(token);
    if (!claims) return { error: "invalid bearer token" };
    if (Number(claims.exp) * 1000 <= this.cluster.now()) return { error: "token has expired" };
    const own = Array.isArray(claims.aud) ? claims.aud.map(String) : [];
    const shared = own.filter((audience) => audiences.includes(audience));
    if (shared.length === 0) {
      const why = `token audiences ${JSON.stringify(own)} is invalid for the target audiences ${JSON.stringify(audiences)}`;
      return { error: why };
    }
    const bound = claims["kubernetes.io"];
    const namespace = textAt(bound, "namespace");
    const account = at(bound, "serviceaccount");
    const name = textAt(account, "name");
    const live = this.cluster.storage.get(ACCOUNTS, namespace, name);
    if (!live || live.metadata.uid !== textAt(account, "uid")) {
      return { error: "service account token has been invalidated" };
    }
    const pod = at(bound, "pod");
    if (isObject(pod) && !this.lives(pod, namespace)) {
      return { error: "service account token has been invalidated" };
    }
    return { user: userOf(namespace, name, textAt(account, "uid"), pod), audiences: shared };
  }

  private lives(pod: JsonObject, namespace: string): boolean {
    const live = this.cluster.storage.get(PODS, namespace, textAt(pod, "name"));
    return live?.metadata.uid === pod.uid;
  }

  private read(token: string): JsonObject | undefined {
    const [header = "", payload = "", signature = ""] = token.split(".");
    const wanted = Buffer.from(this.sign(`${header}.${payload}`));
    const given = Buffer.from(signature);
    if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) return undefined;
    return JSON.parse(Buffer.from(payload, "base64url").toString()) as JsonObject;
  }

  private sign(text: string): string {
    return createHmac("sha256", this.secret).update(text).digest("base64url");
  }
}

function userOf(namespace: string, name: string, uid: string, pod: Json | undefined): User {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: [
      "system:serviceaccounts",
      `system:serviceaccounts:${namespace}`,
      "system:authenticated",
    ],
    extra: isObject(pod)
      ? {
          "authentication.kubernetes.io/pod-name": [textAt(pod, "name")],
          "authentication.kubernetes.io/pod-uid": [textAt(pod, "uid")],
        }
      : {},
  };
}
