import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { COORDINATOR, type TlsMaterial } from "../../coordinator/rpc/client.ts";
import type { Random } from "../faults/random.ts";

/** Who an attack comes from: everybody who may hold a certificate, or none. */
export type Caller = { name: string; material: TlsMaterial | undefined };

/** A coordinator's two ports, those who may speak to it, and what was found wrong. */
export type Target = {
  host: string;
  port: number;
  joinPort: number;
  callers: readonly Caller[];
  /** Agents' certificates, with slots for runs that are queued. */
  agents: readonly Caller[];
  /** A run that is queued from the start. */
  runIds: readonly string[];
  /** One attempt, and how it was answered. */
  count(what: string): void;
  /** Something that must not be. */
  fault(what: string): void;
  /** Aborted when it is enough. */
  signal: AbortSignal;
};

/** One attempt to bring a coordinator down; settles when it is over, and never fails. */
export type Attack = (target: Target, random: Random) => Promise<void>;

/** Nobody waits longer for a coordinator that says nothing. */
const CONNECT_MS = 5000;

export function anyPort({ port, joinPort }: Target, random: Random): number {
  return random.next() < 0.7 ? port : joinPort;
}

/** A connection without TLS; undefined if there is none. */
export function openTcp(target: Target, port: number): Promise<Socket | undefined> {
  const socket = connectTcp({ host: target.host, port });
  return settled(socket, "connect");
}

/** A connection that speaks HTTP/2, with the caller's certificate if it has one. */
export function openTls(
  target: Target,
  port: number,
  { material }: Caller,
): Promise<TLSSocket | undefined> {
  const { certificate: cert, key } = material ?? {};
  const socket = connectTls({
    ...{ host: target.host, port, servername: COORDINATOR, ALPNProtocols: ["h2"] },
    ...(cert && key ? { cert, key } : {}),
    rejectUnauthorized: false,
  });
  return settled(socket, "secureConnect");
}

function settled<Kind extends Socket>(socket: Kind, event: string): Promise<Kind | undefined> {
  return new Promise((resolve) => {
    const none = () => {
      socket.destroy();
      resolve(undefined);
    };
    socket.setTimeout(CONNECT_MS, none);
    socket.once("close", none);
    // Stays: a connection that is cut while something is written says so.
    socket.on("error", none);
    socket.once(event, () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}
