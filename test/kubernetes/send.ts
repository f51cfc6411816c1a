import { once } from "node:events";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";
import type { Json } from "./json.ts";

export type Reply = { code: number; headers: { [name: string]: unknown }; body: Json };

/** Who asks, and whom to believe. */
export type Access = Pick<RequestOptions, "ca" | "cert" | "key" | "servername"> & {
  rejectUnauthorized?: boolean;
  headers: { [name: string]: string };
};

/** One request to an API server without a client; a body that is no text is sent as JSON. */
export async function send(
  url: string,
  method: string,
  { headers: who, ...tls }: Access,
  body?: Json,
  extra: { [name: string]: string } = {},
): Promise<Reply> {
  const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const headers = {
    ...{ "content-type": "application/json", "user-agent": "moestro-test" },
    // Which Node does not write by itself for a DELETE.
    ...(sent === undefined ? {} : { "content-length": Buffer.byteLength(sent) }),
    ...who,
    ...extra,
  };
  const request = httpsRequest(url, { method, ...tls, headers, agent: false });
  request.end(sent);
  const [response] = await once(request, "response");
  const answered = await text(response);
  const isJson = String(response.headers["content-type"]).includes("json");
  return {
    code: response.statusCode,
    headers: response.headers,
    body: isJson ? JSON.parse(answered) : answered,
  };
}
