import { setTimeout as sleep } from "node:timers/promises";
import { type Client, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { MoestroError } from "../errors.ts";
import { callError, connect } from "../rpc/call-unary.ts";
import { firstOf } from "../rpc/first-of.ts";
import { requestStream } from "../rpc/request-stream.ts";
import { endedTrain, type RunCoordinators } from "./run-client.ts";

const RETRY_MS = 1000;
/** How long no coordinator may be there before a command that follows gives up. */
const GIVE_UP_MS = 5 * 60_000;

export type FollowOptions<Request, Response> = {
  runId: string;
  coordinators: RunCoordinators;
  method: MethodDefinition<Request, Response>;
  request: Request;
  signal: AbortSignal;
  /** The stream begins anew, from another coordinator or the same one started again. */
  again?(): void;
};

/**
 * What a coordinator streams of a run, until it ends or `signal` aborts. The end of a
 * coordinator is not the end of its runs: the stream is asked for again of whichever is
 * there. Throws MoestroError.
 */
export async function* follow<Request, Response>(
  options: FollowOptions<Request, Response>,
): AsyncGenerator<Response> {
  const { coordinators, signal, runId, again } = options;
  let awaySinceMs: number | undefined;
  while (!signal.aborted) {
    try {
      if (awaySinceMs !== undefined) again?.();
      for await (const response of attempt(options)) {
        awaySinceMs = undefined;
        yield response;
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (coordinators.isTrain) throw endedTrain(runId, error);
      const now = performance.now();
      const mayReturn = error instanceof LostStream || awaySinceMs !== undefined;
      if (!mayReturn || !isAway(error)) throw error;
      if (awaySinceMs === undefined) {
        console.error(`${error.lines.join("; ")}; looking for a coordinator`);
        awaySinceMs = now;
      } else if (now - awaySinceMs > GIVE_UP_MS) throw error;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** A stream that ended though its coordinator had begun it. */
class LostStream extends MoestroError {}

function isAway(error: unknown): error is MoestroError {
  return error instanceof MoestroError && error.code === "environment";
}

async function* attempt<Request, Response>({
  coordinators: { addresses, material },
  ...options
}: FollowOptions<Request, Response>): AsyncGenerator<Response> {
  let reached = "";
  const client: Client = await firstOf(addresses, (address) => {
    reached = address;
    return connect({ address, trust: material });
  });
  const { method, request, signal } = options;
  const stream = requestStream(client, method, request);
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    for await (const response of stream) yield response as Response;
  } catch (error) {
    const failure = error as ServiceError;
    const told = callError(reached, failure);
    throw isBroken(failure) ? new LostStream("environment", told.lines) : told;
  } finally {
    signal.removeEventListener("abort", cancel);
    stream.cancel();
    client.close();
  }
}

/** Whether the connection failed, or what the coordinator needs, rather than the request. */
function isBroken({ code, details }: ServiceError): boolean {
  return (
    code === status.UNAVAILABLE || code === status.CANCELLED || /RST_STREAM|dropped/.test(details)
  );
}
