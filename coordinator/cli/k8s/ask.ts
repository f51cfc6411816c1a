import { once } from "node:events";
import { request as plainRequest } from "node:http";
import { type RequestOptions, request as secureRequest } from "node:https";
import { text } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { MoestroError } from "../../errors.ts";

const ANSWER_MS = 30_000;
const NOT_FOUND = 404;

/**
 * Asks an API server, and returns its answer as it writes it: the client's own calls rename some
 * fields. Undefined if there is no such thing.
 *
 * @param what the request is about, as refusals name it
 * @param body for a server-side apply
 * @throws MoestroError of one line, whatever goes wrong
 */
export async function ask(
  config: KubeConfig,
  method: "GET" | "PATCH",
  path: string,
  what: string,
  body?: object,
): Promise<unknown> {
  const server = serverOf(config);
  const { code, answer } = await send(config, method, `${server.replace(/\/$/, "")}${path}`, body);
  if (code === NOT_FOUND && method === "GET") return undefined;
  if (code >= 300) throw refusal(server, what, code, messageIn(answer, code));
  return answer;
}

export function serverOf(config: KubeConfig): string {
  return config.getCurrentCluster()?.server ?? "";
}

async function send(config: KubeConfig, method: string, address: string, body?: object) {
  const headers = { accept: "application/json", "content-type": "application/apply-patch+yaml" };
  const options: RequestOptions = { method, headers, timeout: ANSWER_MS };
  try {
    await config.applyToHTTPSOptions(options);
    const url = new URL(address);
    const request = (url.protocol === "http:" ? plainRequest : secureRequest)(url, options);
    request.on("timeout", () => request.destroy(new Error(`none within ${ANSWER_MS / 1000} s`)));
    request.end(body && JSON.stringify(body));
    const [response] = await once(request, "response");
    return { code: response.statusCode as number, answer: jsonIn(await text(response)) };
  } catch (error) {
    throw new MoestroError(
      "environment",
      `${serverOf(config)}: no answer: ${(error as Error).message}; look whether the cluster is up, or give another with --kubeconfig or --context`,
    );
  }
}

/** A refusal with what to do about it, where the server's own words do not say. */
function refusal(server: string, what: string, code: number, message: string): MoestroError {
  switch (code) {
    case 400:
    case 422:
      return new MoestroError("invalid_input", `${what}: ${message}`);
    case 401:
      return new MoestroError("environment", `${server}: ${message}; renew your credentials`);
    case 403: {
      const remedy = "ask for that right, or use --context of who has it";
      return new MoestroError("environment", `${server}: ${message}; ${remedy}`);
    }
    case NOT_FOUND:
      return new MoestroError("not_found", `${what}: ${message}; make it first`);
    case 409:
      return new MoestroError("in_use", `${what}: is not the job's: ${message}`);
    default:
      return new MoestroError("environment", `${server}: ${message}; try again`);
  }
}

function jsonIn(answered: string): unknown {
  try {
    return JSON.parse(answered);
  } catch {
    return undefined;
  }
}

/** The API server's own sentence, on one line. */
function messageIn(answer: unknown, code: number): string {
  const { message } = (answer ?? {}) as { message?: unknown };
  return typeof message === "string" ? message.replace(/\s*\n\s*/g, " ") : `answers with ${code}`;
}
