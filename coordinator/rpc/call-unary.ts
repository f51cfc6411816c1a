import { type Client, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { type ErrorCode, MoestroError } from "../errors.ts";
import { openClient, type Trust } from "./client.ts";
import { connectionFailure } from "./connection-failure.ts";

const CONNECT_TIMEOUT_MS = 5000;
const CALL_TIMEOUT_MS = 15_000;

export type Endpoint = { address: string; trust: Trust };

/** One call over a connection of its own. Throws MoestroError. */
export async function callUnary<Request, Response>(
  endpoint: Endpoint,
  method: MethodDefinition<Request, Response>,
  request: Request,
): Promise<Response> {
  const client = open(endpoint);
  try {
    return await requestUnary(client, method, request);
  } catch (error) {
    throw callError(endpoint.address, error as ServiceError);
  } finally {
    client.close();
  }
}

/** A client whose coordinator has answered. Throws MoestroError, saying why if none does. */
export async function connect(endpoint: Endpoint): Promise<Client> {
  const client = open(endpoint);
  try {
    if (!healthService.Check) throw new Error("the health service has lost its Check");
    await requestUnary(client, healthService.Check, { service: "" }, CONNECT_TIMEOUT_MS);
    return client;
  } catch (error) {
    client.close();
    throw callError(endpoint.address, error as ServiceError);
  }
}

function open({ address, trust }: Endpoint): Client {
  // A pool of its own: another client's failed attempt is not this one's.
  return openClient(address, trust, { "grpc.use_local_subchannel_pool": 1 });
}

/** One call on a client. Rejects with grpc-js' ServiceError. */
export function requestUnary<Request, Response>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
  request: Request,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<Response> {
  const options = { deadline: Date.now() + timeoutMs };
  return new Promise((resolve, reject) => {
    const reply = (error: ServiceError | null, response?: Response) => {
      if (error) reject(error);
      else if (response !== undefined) resolve(response);
    };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, reply);
  });
}

const CODES: Partial<Record<status, ErrorCode>> = {
  [status.INVALID_ARGUMENT]: "invalid_input",
  [status.OUT_OF_RANGE]: "no_plan",
  [status.NOT_FOUND]: "not_found",
  [status.PERMISSION_DENIED]: "invalid_input",
  [status.UNAUTHENTICATED]: "invalid_input",
  [status.UNIMPLEMENTED]: "invalid_input",
  [status.ALREADY_EXISTS]: "in_use",
  [status.UNAVAILABLE]: "environment",
  [status.DEADLINE_EXCEEDED]: "environment",
  [status.RESOURCE_EXHAUSTED]: "environment",
};

/** A failed call, told to a person. */
export function callError(address: string, { code, details }: ServiceError): MoestroError {
  return new MoestroError(
    CODES[code] ?? "run_failed",
    `${address}: ${connectionFailure(details) ?? details}`,
  );
}
