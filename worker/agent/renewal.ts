import { type Credentials, writeCredentials } from "../../coordinator/rpc/credentials-file.ts";
import { renewalDueMs, renewCredentials } from "../../coordinator/rpc/renew-client.ts";
import { credentialsPath, type Rejoining } from "./credentials.ts";

/** Between two looks at whether a certificate is due: clocks jump, machines sleep. */
const LOOK_EVERY_MS = 60_000;

export type RenewalOptions = {
  coordinators: readonly string[];
  credentials: Credentials;
  directory: string;
  /** The way of a pod, whose certificate is not renewed; without it a person may have to help. */
  rejoining?: Rejoining | undefined;
  /** The next connection uses these; the one that stands needs no change. */
  renewed(credentials: Credentials): void;
  /** Renewal has begun to fail, why; it is tried again until it succeeds. */
  failed(why: string): void;
  /** The wall clock, which certificates go by. */
  now?(): number;
  random?(): number;
  lookEveryMs?: number;
};

/** Renews the certificate at about two thirds of its life, again and again. */
export function renewWhenDue(options: RenewalOptions): { stop(): void } {
  const { now = Date.now, random = Math.random, lookEveryMs = LOOK_EVERY_MS } = options;
  const { coordinators, directory, rejoining } = options;
  let current = options.credentials;
  let dueMs = renewalDueMs(current, random());
  let isFailing = false;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;

  const renew = async () => {
    try {
      const next = await (rejoining?.join() ?? renewCredentials(coordinators, current));
      if (isStopped) return;
      writeCredentials(credentialsPath(directory), next);
      current = next;
      dueMs = renewalDueMs(current, random());
      isFailing = false;
      options.renewed(current);
    } catch (error) {
      const remedy = rejoining ? "trying on" : "start the agent again with --token";
      if (!isFailing && !isStopped) options.failed(failure(current, error as Error, now(), remedy));
      isFailing = true;
    }
  };
  const look = async () => {
    if (now() >= dueMs || isForeign(current, rejoining)) await renew();
    if (!isStopped) timer = setTimeout(() => void look(), lookEveryMs).unref();
  };
  void look();
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** Whether it is of an authority that the coordinators have no more. */
function isForeign(current: Credentials, rejoining: Rejoining | undefined): boolean {
  try {
    return rejoining?.isNeeded(current) ?? false;
  } catch {
    // What cannot be told now shows at the next look.
    return false;
  }
}

function failure({ validToMs }: Credentials, error: Error, nowMs: number, remedy: string): string {
  const until = new Date(validToMs).toISOString();
  const why = error.message.replaceAll("\n", "; ");
  if (validToMs > nowMs)
    return `the certificate, good until ${until}, could not be renewed: ${why}`;
  return `the certificate expired on ${until} and could not be renewed: ${why}; ${remedy}`;
}
