import type { KubeConfig } from "@kubernetes/client-node";
import { MoestroError } from "../../errors.ts";
import { sendRequest } from "../../kubernetes/api-request.ts";
import { whyOf } from "../../operator/cluster/why-of.ts";

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
  const { code, body: answer } = await send(config, method, path, body);
  if (code === NOT_FOUND && method === "GET") return undefined;
  if (code >= 300) throw refusal(server, what, code, messageIn(answer, code));
  return answer;
}

export function serverOf(config: KubeConfig): string {
  return config.getCurrentCluster()?.server ?? "";
}

async function send(config: KubeConfig, method: "GET" | "PATCH", path: string, body?: object) {
  const contentType = "application/apply-patch+yaml";
  try {
    return await sendRequest(config, {
      ...{ method, path, contentType },
      ...(body === undefined ? {} : { body }),
    });
  } catch (error) {
    throw new MoestroError(
      "environment",
      `${serverOf(config)}: no answer: ${whyOf(error)}; look whether the cluster is up, or give another with --kubeconfig or --context`,
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

/** The API server's own sentence, on one line. */
function messageIn(answer: unknown, code: number): string {
  const { message } = (answer ?? {}) as { message?: unknown };
  return typeof message === "string" ? message.replace(/\s*\n\s*/g, " ") : `answers with ${code}`;
}
