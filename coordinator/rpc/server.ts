import {
  ServerCredentials as Credentials,
  logVerbosity,
  Server,
  type ServerCredentials,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { MoestroError } from "../errors.ts";
import type { Identity } from "./certificates.ts";

/** A message larger than this is refused; a summed report is a few kilobytes. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

// grpc-js would write to standard error what its callers are told anyway.
setLogVerbosity(logVerbosity.NONE);

export type RpcServer = {
  server: Server;
  /** Tells health clients whether the coordinator serves. */
  setServing(serving: boolean): void;
  /** Starts to listen; returns the port, which is `port` unless that was 0. */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
};

/** A gRPC server that asks every client for a certificate of the same authority. */
export function createRpcServer(authority: Identity, identity: Identity): RpcServer {
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  });
  const health = new HealthImplementation({ "": "NOT_SERVING" });
  health.addToServer(server);
  return {
    server,
    setServing: (serving) => health.setStatus("", serving ? "SERVING" : "NOT_SERVING"),
    listen: (host, port) => listen(server, serverCredentials(authority, identity), host, port),
    close: () => close(server),
  };
}

function serverCredentials(authority: Identity, identity: Identity): ServerCredentials {
  const pair = {
    cert_chain: Buffer.from(identity.certificate),
    private_key: Buffer.from(identity.key),
  };
  return Credentials.createSsl(Buffer.from(authority.certificate), [pair], true);
}

function listen(
  server: Server,
  credentials: ServerCredentials,
  host: string,
  port: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, credentials, (error, bound) => {
      if (!error) {
        resolve(bound);
        return;
      }
      const why = /EADDRINUSE/.test(error.message)
        ? "another process listens on it"
        : error.message.replace(/\s+/g, " ");
      reject(
        new MoestroError(
          "environment",
          `--listen ${host}:${port}: ${why}; choose another port, or 0 for any free one`,
        ),
      );
    });
  });
}

/** Lets calls in flight end for a moment, then ends them. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), 500);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
