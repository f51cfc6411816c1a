import type { IncomingMessage } from "node:http";
import { parse as parseYaml } from "yaml";
import { badRequest } from "../api-error.ts";
import type { Json } from "../json.ts";
import { readProtobuf } from "./protobuf.ts";

/** A request's body; undefined where there is none. Throws a 400 or 415. */
export async function readBody(request: IncomingMessage): Promise<Json | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (chunks.length === 0) return undefined;
  const type = request.headers["content-type"] ?? "";
  if (type.includes("protobuf")) return readProtobuf(Buffer.concat(chunks));
  const text = Buffer.concat(chunks).toString();
  try {
    return (type.includes("yaml") ? parseYaml(text) : JSON.parse(text)) as Json;
  } catch (error) {
    throw badRequest(`the body cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}
