import {
  ApiException,
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  type KubeConfig,
  RequestContext,
} from "@kubernetes/client-node";

/** What has no answer by then gets none: nothing of the operator's takes an API server so long. */
export const ANSWER_MS = 30_000;

export interface ApiRequest {
  method: keyof typeof HttpMethod;
  path: string;
  query?: Record<string, string>;
  /** Sent as it is. */
  body?: object;
  contentType?: string;
  timeoutMs?: number;
}

export interface ApiAnswer {
  code: number;
  /** As the API server wrote it; text where it is no JSON. */
  body: unknown;
}

const http = new IsomorphicFetchHttpLibrary();

/**
 * Sends a request as it is and gives back the answer as it is, whatever its code: the client's own
 * calls rename fields, drop what their types do not know, and wait for minutes. Connections,
 * certificates and tokens are the client's.
 */
export async function sendRequest(config: KubeConfig, request: ApiRequest): Promise<ApiAnswer> {
  const { method, path, query = {}, body, timeoutMs = ANSWER_MS } = request;
  const server = config.getCurrentCluster()?.server ?? "";
  const asked = new URLSearchParams(query).toString();
  const address = `${server.replace(/\/$/, "")}${path}${asked === "" ? "" : `?${asked}`}`;
  const context = new RequestContext(address, HttpMethod[method]);
  context.setHeaderParam("Accept", "application/json");
  if (body !== undefined) {
    context.setHeaderParam("Content-Type", request.contentType ?? "application/json");
    context.setBody(JSON.stringify(body));
  }
  context.setSignal(AbortSignal.timeout(timeoutMs));
  await config.applySecurityAuthentication(context);
  const answer = await http.send(context).toPromise();
  return { code: answer.httpStatusCode, body: jsonIn(await answer.body.text()) };
}

/**
 * What the API server answers.
 *
 * @throws ApiException where it refuses
 */
export async function requestApi(config: KubeConfig, request: ApiRequest): Promise<unknown> {
  const { code, body } = await sendRequest(config, request);
  if (code >= 300) throw new ApiException(code, "refused", body, {});
  return body;
}

/** Where objects of a kind are. */
export function collectionPath(apiVersion: string, plural: string, namespace: string): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${root}/namespaces/${namespace}/${plural}`;
}

function jsonIn(answered: string): unknown {
  try {
    return JSON.parse(answered);
  } catch {
    return answered;
  }
}
