import { requestToken } from "../access/reviews.ts";
import type { Tokens } from "../access/tokens.ts";
import { noSuchPath } from "../api-error.ts";
import type { KubeObject } from "../json.ts";
import { isObject } from "../json.ts";
import { evict } from "../registry/evict.ts";
import type { Answer, Call } from "./call.ts";
import { get } from "./read.ts";
import { scale } from "./scale.ts";
import { patch, put } from "./write.ts";

/** Everything below an object but its log. Throws a 404 where there is no such thing. */
export function subresource(call: Call, tokens: Tokens): Answer {
  const { cluster, route, resource, verb, body } = call;
  const { namespace = "", name = "" } = route;
  if (route.subresource === "scale") return scale(call);
  if (route.subresource === "status" && resource.hasStatus) {
    if (verb === "get") return get(call);
    return verb === "patch" ? patch(call) : put(call);
  }
  if (resource.plural === "pods" && route.subresource === "eviction") {
    const options = isObject(body) && isObject(body.deleteOptions) ? body.deleteOptions : {};
    const grace = options.gracePeriodSeconds;
    evict(cluster, namespace, name, {
      ...(typeof grace === "number" ? { gracePeriodSeconds: grace } : {}),
      dryRun: call.query.get("dryRun") === "All",
    });
    const head = { kind: "Status", apiVersion: "v1", metadata: {} };
    return { code: 201, body: { ...head, status: "Success", code: 201 } };
  }
  if (resource.plural === "serviceaccounts" && route.subresource === "token") {
    const object = isObject(body) ? (body as KubeObject) : undefined;
    if (!object) throw noSuchPath();
    const answer = requestToken(cluster, tokens, { namespace, name }, object);
    return { code: 201, body: answer };
  }
  throw noSuchPath();
}
