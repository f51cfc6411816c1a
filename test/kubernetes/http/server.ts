import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { authorize } from "../access/authorize.ts";
import { review } from "../access/reviews.ts";
import type { Tokens } from "../access/tokens.ts";
import { ApiError, badRequest } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { Faults } from "../faults.ts";
import type { Json } from "../json.ts";
import { authenticate } from "./authenticate.ts";
import { readBody } from "./body.ts";
import type { Answer, Call } from "./call.ts";
import { discovery } from "./discovery.ts";
import { openApiDocument, openApiIndex } from "./openapi.ts";
import { get, list } from "./read.ts";
import { type Route, resourceText, routeOf, verbOf } from "./route.ts";
import { subresource } from "./subresources.ts";
import { watch } from "./watch.ts";
import { deleteAll, deleteOne, objectOf, patch, post, put } from "./write.ts";

/** Writes a pod's log as the node has it. Throws an ApiError where there is none. */
export type LogSource = (
  route: Route,
  query: URLSearchParams,
  response: ServerResponse,
) => Promise<void>;

export type ServerOptions = {
  cluster: Cluster;
  tokens: Tokens;
  faults: Faults;
  adminToken: string;
  bookmarkMs: number;
  logs: LogSource;
};

const OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
const HEALTH = ["/healthz", "/livez", "/readyz"];

/** The API over HTTPS; not listening yet. */
export function createApiServer(
  identity: { certificate: string; key: string },
  options: ServerOptions,
): Server {
  const sockets = new Set<Duplex>();
  const { faults } = options;
  const server = createServer(
    { cert: identity.certificate, key: identity.key },
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => fail(response, error));
    },
  );
  server.on("connection", (socket) => {
    if (faults.isAway) return socket.destroy();
    sockets.add(socket);
    return socket.on("close", () => sockets.delete(socket));
  });
  faults.breakConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return server;
}

function fail(response: ServerResponse, error: unknown): void {
  const known =
    error instanceof ApiError ? error : new ApiError(500, "InternalError", String(error));
  if (response.headersSent) response.destroy();
  else send(response, known.code, known.body);
}

function send(
  response: ServerResponse,
  code: number,
  body: Json,
  headers: { [name: string]: string | string[] } = {},
): void {
  response.writeHead(code, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServerOptions,
): Promise<void> {
  const url = new URL(request.url ?? "/", "https://kubernetes");
  const { cluster, faults } = options;
  if (HEALTH.some((path) => url.pathname.startsWith(path))) {
    response.writeHead(200, { "content-type": "text/plain" }).end("ok");
    return;
  }
  if (url.pathname === "/openapi/v2") {
    // Without a type in it: kubectl of today reads v3, and asks here what is not there.
    response.writeHead(200, { "content-type": OPENAPI_V2 }).end();
    return;
  }
  const user = authenticate(request, options.tokens, options.adminToken);
  const known = describe(url.pathname, cluster);
  if (known !== undefined) {
    faults.count("get", "discovery");
    send(response, 200, known);
    return;
  }
  const route = routeOf(url.pathname);
  const verb = verbOf(request.method ?? "GET", route, url.searchParams);
  const name = resourceText(route);
  faults.count(verb, name);
  const body = await readBody(request);
  await sleep(faults.delayOf(verb, name));
  const failure = faults.takeFailure(verb, name);
  if (failure) {
    const { code, message, retryAfterSeconds } = failure;
    const error = new ApiError(code, reasonOf(code), message, { retryAfterSeconds });
    const retry =
      retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
    send(response, code, error.body, retry);
    return;
  }
  const call: Call = {
    ...{ cluster, route, verb, user, body, query: url.searchParams },
    resource: cluster.resource(route.group, route.version, route.plural),
    accept: request.headers.accept ?? "",
    contentType: request.headers["content-type"] ?? "",
    userAgent: request.headers["user-agent"] ?? "",
  };
  authorize(call);
  if (verb === "watch") watch(call, response, options);
  else if (route.subresource === "log") await options.logs(route, call.query, response);
  else {
    const { code, body: result, warnings = [] } = dispatch(call, options);
    const texts = warnings.map((warning) => `299 - ${JSON.stringify(warning)}`);
    send(response, code, result, texts.length > 0 ? { warning: texts } : {});
  }
}

/** Discovery and OpenAPI, which everybody may read. */
function describe(path: string, cluster: Cluster): Json | undefined {
  const resources = cluster.resources();
  if (path === "/openapi/v3") return openApiIndex(resources);
  if (path.startsWith("/openapi/v3/")) return openApiDocument(path.slice(12), resources);
  return discovery(path, resources);
}

function dispatch(call: Call, { cluster, tokens }: ServerOptions): Answer {
  const { verb, route, resource } = call;
  if (!resource.verbs.includes(verb)) {
    const message = "the server does not allow this method on the requested resource";
    throw new ApiError(405, "MethodNotAllowed", message);
  }
  if (route.subresource !== undefined) return subresource(call, tokens);
  if (resource.verbs.length === 1) {
    return { code: 201, body: review(cluster, tokens, call.user, objectOf(call)) };
  }
  const needsNamespace = resource.namespaced && !["list", "deletecollection"].includes(verb);
  if (needsNamespace && route.namespace === undefined) {
    throw badRequest("an empty namespace may not be set during creation");
  }
  const handlers: { [verb: string]: (call: Call) => Answer } = {
    ...{ get, list, create: post, update: put, patch },
    ...{ delete: deleteOne, deletecollection: deleteAll },
  };
  const handler = handlers[verb];
  if (!handler) throw new ApiError(405, "MethodNotAllowed", `no verb ${verb}`);
  return handler(call);
}

function reasonOf(code: number): string {
  const reasons: { [code: number]: string } = {
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
  };
  return reasons[code] ?? "Unknown";
}
