import {
  logVerbosity,
  Server,
  type ServerCredentials,
  type ServerInterceptor,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { MoestroError } from "../errors.ts";
import { formatAddress } from "./address.ts";
import type { Identity } from "./certificates.ts";
import { createGuard } from "./guard.ts";
import { ServerIdentity } from "./server-credentials.ts";

/** A message larger than this is refused; a summed report is a few kilobytes. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

// grpc-js would write to standard error what its callers are told anyway.
setLogVerbosity(logVerbosity.NONE);

/** Streams of one connection; an agent has one, a person's command a few. */
const MAX_STREAMS = 100;
/** A request to join is a few hundred bytes, and comes from anybody. */
const MAX_JOIN_BYTES = 16 * 1024;

/** Owns what no submitter may change: the run of a coordinator that has only one. */
const NOBODY = "";

/** Somebody listens there: another port may do. */
export class PortTakenError extends MoestroError {}

export type RpcServer = {
  server: Server;
  /** A new certificate for the connections to come. */
  setIdentity(identity: Identity): void;
  /** Tells health clients whether the coordinator serves. */
  setServing(serving: boolean): void;
  /** Starts to listen; returns the port, which is `port` unless that was 0. */
  listen(host: string, port: number): Promise<number>;
  /** Lets a port go that it listens at. */
  unlisten(host: string, port: number): void;
  close(): Promise<void>;
};

/**
 * A gRPC server that asks every client for a certificate of the same authority. `guard`
 * (`createGuard`) stands before every call.
 */
export function createRpcServer(
  authority: Identity,
  identity: Identity,
  guard: ServerInterceptor = createGuard({ ownerOf: async () => NOBODY }),
): RpcServer {
  const server = createServer(guard, MAX_MESSAGE_BYTES);
  const health = new HealthImplementation({ "": "NOT_SERVING" });
  health.addToServer(server);
  const own = new ServerIdentity(authority, identity);
  const credentials = own.credentials("with certificate");
  return {
    server,
    setIdentity: (next) => own.set(next),
    setServing: (serving) => health.setStatus("", serving ? "SERVING" : "NOT_SERVING"),
    listen: (host, port) => listen(server, credentials, host, port),
    unlisten: (host, port) => server.unbind(formatAddress({ host, port })),
    close: () => close(server),
  };
}

/**
 * A gRPC server, for JoinService alone, that asks for no certificate. It shows the
 * authority's, by which a client that has only a token knows where it is.
 */
export function createJoinServer(
  authority: Identity,
  identity: Identity,
  guard: ServerInterceptor,
): Omit<RpcServer, "setServing" | "unlisten"> {
  const server = createServer(guard, MAX_JOIN_BYTES);
  const own = new ServerIdentity(authority, identity);
  const credentials = own.credentials("anyone");
  return {
    server,
    setIdentity: (next) => own.set(next),
    listen: (host, port) => listen(server, credentials, host, port),
    close: () => close(server),
  };
}

function createServer(guard: ServerInterceptor, maxMessageBytes: number): Server {
  return new Server({
    interceptors: [guard],
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_concurrent_streams": MAX_STREAMS,
    // Channelz stays on, though nobody reads it: without it grpc-js 1.14 knows of no session
    // to end in forceShutdown, and closing waits for callers for ever.
  });
}

function listen(
  server: Server,
  credentials: ServerCredentials,
  host: string,
  port: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const address = formatAddress({ host, port });
    server.bindAsync(address, credentials, (error, bound) => {
      if (!error) {
        resolve(bound);
        return;
      }
      const say = (why: string) =>
        `--listen ${address}: ${why}; choose another port, or 0 for any free one`;
      reject(
        /EADDRINUSE/.test(error.message)
          ? new PortTakenError("environment", say("another process listens on it"))
          : new MoestroError("environment", say(error.message.replace(/\s+/g, " "))),
      );
    });
  });
}

/** Lets calls in flight end for a moment, then ends them. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      // grpc-js may wait for a connection that was cut as it began, for ever.
      setImmediate(resolve);
    }, 500);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
