import { setTimeout as sleep } from "node:timers/promises";
import type { MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { MoestroError } from "../errors.ts";
import { callError, connect, requestUnary } from "./call-unary.ts";
import type { TlsMaterial } from "./client.ts";
import { otherLeader } from "./not-leading.ts";

/** How long one of several coordinators may take to lead after another. */
const FAILOVER_MS = 10_000;
const RETRY_MS = 500;

export type Coordinators = { addresses: readonly string[]; material: TlsMaterial };

/**
 * One call, to whichever coordinator takes it: those that cannot be reached are passed over,
 * those that do not lead name the one that does. A call that may have been carried out is
 * never made twice. Throws MoestroError.
 */
export async function callLeader<Request, Response>(
  { addresses, material }: Coordinators,
  method: MethodDefinition<Request, Response>,
  request: Request,
): Promise<Response> {
  const giveUpAt = performance.now() + FAILOVER_MS;
  for (;;) {
    const queue = [...addresses];
    const reasons: string[] = [];
    let isElecting = false;
    for (let address = queue.shift(); address !== undefined; address = queue.shift()) {
      const answer = await ask({ address, trust: material }, method, request);
      if ("response" in answer) return answer.response;
      reasons.push(answer.reason);
      isElecting ||= answer.isElecting;
      if (answer.leader && !addresses.includes(answer.leader)) queue.unshift(answer.leader);
    }
    if (!isElecting || performance.now() > giveUpAt) {
      throw new MoestroError("environment", reasons);
    }
    await sleep(RETRY_MS);
  }
}

type Answer<Response> =
  | { response: Response }
  | { reason: string; isElecting: boolean; leader?: string | undefined };

async function ask<Request, Response>(
  endpoint: Parameters<typeof connect>[0],
  method: MethodDefinition<Request, Response>,
  request: Request,
): Promise<Answer<Response>> {
  let client: Awaited<ReturnType<typeof connect>>;
  try {
    client = await connect(endpoint);
  } catch (error) {
    if (!(error instanceof MoestroError && error.code === "environment")) throw error;
    return { reason: error.message, isElecting: false };
  }
  try {
    return { response: await requestUnary(client, method, request) };
  } catch (error) {
    const failure = error as ServiceError;
    const told = callError(endpoint.address, failure);
    const elsewhere = otherLeader(failure);
    if (!elsewhere) throw told;
    return { reason: told.message, isElecting: true, ...elsewhere };
  } finally {
    client.close();
  }
}
