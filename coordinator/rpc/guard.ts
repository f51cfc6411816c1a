import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import type { AuditLog } from "./audit.ts";
import { type Refusal, refusalByOwner, refusalByRole } from "./authorize.ts";
import { certificateOf, peerOfSubject } from "./peer.ts";
import { type Rate, RateLimit } from "./rate-limit.ts";
import { RULES } from "./rules.ts";

export type GuardOptions = {
  /**
   * Who submitted a run, as `Peer.id`; undefined if there is no such run, which its
   * service then says.
   */
  ownerOf(runId: string): Promise<string | undefined>;
  audit?: AuditLog | undefined;
  /** Calls of one holder, or of one address on the port that asks for no certificate. */
  calls?: Rate;
  /** Messages on the streams of one holder; what is above it waits in the sender. */
  messages?: Rate;
  /** The longest a call may take that is no lasting stream. */
  deadlineMs?: number;
  /** A clock that never goes back. */
  now?(): number;
};

const RATE: Rate = { perSecond: 1000, burst: 2000 };
const DEADLINE_MS = 30_000;
const TOO_SLOW = {
  code: status.DEADLINE_EXCEEDED,
  details: "the coordinator took too long; try again",
};

/**
 * What stands before every procedure of a server: role, ownership, rate and deadline are
 * checked, and calls that change something leave an audit line. It is an option of the
 * server, so that no service can be added without it.
 */
export function createGuard(options: GuardOptions): ServerInterceptor {
  const { now = () => performance.now(), deadlineMs = DEADLINE_MS } = options;
  const calls = new RateLimit(options.calls ?? RATE);
  const messages = new RateLimit(options.messages ?? RATE);

  return ({ path }, call) => {
    const rule = RULES.get(path);
    const certificate = certificateOf(call);
    const peer = peerOfSubject(certificate?.subject);
    const caller = peer?.name ?? call.getConnectionInfo().remoteAddress ?? "unknown";
    const validToMs = Date.parse(certificate?.valid_to ?? "");
    const refusal = refusalByRole(rule, { peer, validToMs }, Date.now());
    let request: unknown;
    let response: unknown;
    let deadline: NodeJS.Timeout | undefined;
    let isOver = false;

    const end = ({ code = status.UNKNOWN, details = "" }: Partial<Refusal>) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(deadline);
      if (!rule?.audit || request === undefined) return;
      options.audit?.write({
        caller: peer?.name ?? "nobody",
        role: peer?.role ?? "",
        from: call.getPeer(),
        rpc: path.replace("/moestro.v1.", ""),
        target: rule.audit(request, response),
        outcome: status[code] ?? String(code),
        details,
      });
    };
    const refuse = (why: Refusal) => {
      if (isOver) return;
      end(why);
      call.sendStatus(why);
    };

    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            if (!calls.take(caller, now())) return refuse(tooFast(caller));
            // What an audit line is about stands in the request: it is read before the refusal.
            if (refusal && !rule?.audit) return refuse(refusal);
            if (!rule?.lasting) deadline = setTimeout(() => refuse(TOO_SLOW), deadlineMs);
            proceed(metadata);
          },
          onReceiveMessage(message, proceed) {
            if (isOver) return;
            if (rule?.audit) request = message;
            if (refusal) return refuse(refusal);
            const waitMs = rule?.lasting ? messages.reserve(caller, now()) : 0;
            if (waitMs > 0) {
              setTimeout(() => proceed(message), waitMs);
            } else if (rule?.ownRun && peer?.role === "submitter") {
              void refusalByOwner(rule.ownRun(message), peer, options.ownerOf).then((why) =>
                why ? refuse(why) : proceed(message),
              );
            } else {
              proceed(message);
            }
          },
          onCancel: () => end({ code: status.CANCELLED, details: "the caller went away" }),
        }),
      sendMessage(message, proceed) {
        if (rule?.audit) response = message;
        proceed(message);
      },
      sendStatus(outcome, proceed) {
        end(outcome as Partial<Refusal>);
        proceed(outcome);
      },
    });
  };
}

function tooFast(caller: string): Refusal {
  const details = `${caller} calls more often than it may; wait a second`;
  return { code: status.RESOURCE_EXHAUSTED, details };
}
