import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { TlsMaterial } from "../../coordinator/rpc/client.ts";
import { type Fence, FenceSchema, HeartbeatSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  type AgentMessage,
  type CoordinatorMessage,
  CoordinatorStream,
  type StreamEnd,
} from "./coordinator-stream.ts";
import { backOffMs, nextAddress } from "./next-address.ts";

/** Silence for so many heartbeats, and at least so long, means that nobody is there. */
const MAX_SILENT_HEARTBEATS = 3;
const MIN_SILENCE_MS = 3000;
/** An agent that is refused but has ranks goes on asking, no faster than this. */
const REFUSED_RETRY_MS = 5000;
const REFUSALS = [status.PERMISSION_DENIED, status.ALREADY_EXISTS];

export type ConnectionOptions = {
  /** host:port of each coordinator there may be. */
  coordinators: readonly string[];
  /** Asked for each connection, for certificates are renewed. */
  tls(): TlsMaterial;
};

export type ConnectionHandlers = {
  /** The first message of a connection. */
  hello(): AgentMessage;
  /** A coordinator that leads has taken the agent in: what it may have missed can be sent. */
  connected(): void;
  message(message: CoordinatorMessage, fence: Fence): void;
  /** There is room again after a `send` that returned false. */
  writable(): void;
  /** The coordinator will not have this agent. Returns whether to go on asking. */
  refused(why: string): boolean;
  /** One line for the log. */
  note(line: string): void;
};

/**
 * The agent's way to whichever coordinator leads, for as long as the agent lives. A
 * connection that ends, that gives no sign, or whose coordinator is of an older epoch
 * than one seen before is left for another.
 */
export class CoordinatorConnection {
  readonly #options: ConnectionOptions;
  readonly #handlers: ConnectionHandlers;
  #address: string;
  #stream: CoordinatorStream | undefined;
  #epoch = 0n;
  /** The coordinator at the other end leads. */
  #isLed = false;
  #numFailed = 0;
  #heardAtMs = 0;
  #tickedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #noted = "";
  #closed = false;

  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#address = options.coordinators[0] ?? "";
  }

  open(): void {
    if (this.#closed) return;
    let stream: CoordinatorStream;
    const whenCurrent = (act: () => void) => {
      if (this.#stream === stream) act();
    };
    try {
      stream = new CoordinatorStream(this.#address, this.#options.tls(), {
        message: (message, fence) => whenCurrent(() => this.#receive(message, fence)),
        writable: () => whenCurrent(() => this.#isLed && this.#handlers.writable()),
        ended: (end) => whenCurrent(() => this.#lost(end)),
      });
    } catch (error) {
      this.#lost({ code: status.UNKNOWN, why: (error as Error).message });
      return;
    }
    this.#stream = stream;
    this.#isLed = false;
    this.#watch(MIN_SILENCE_MS / MAX_SILENT_HEARTBEATS, () => {});
    this.send(this.#handlers.hello(), NO_RUN);
  }

  /** Whether a coordinator that leads is at the other end. */
  get isConnected(): boolean {
    return this.#stream !== undefined && this.#isLed;
  }

  /**
   * Sends a message about what `fence` names, if there is a connection. Returns false
   * if what follows should wait.
   */
  send(message: AgentMessage, fence: { runId: string; generation: bigint }): boolean {
    const { runId, generation } = fence;
    const stamped = create(FenceSchema, { runId, generation, coordinatorEpoch: this.#epoch });
    return this.#stream?.send(message, stamped) ?? false;
  }

  /** Sends what is queued and connects no more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.finish();
  }

  #receive(message: CoordinatorMessage, fence: Fence): void {
    this.#heardAtMs = performance.now();
    if (fence.coordinatorEpoch > this.#epoch) this.#epoch = fence.coordinatorEpoch;
    if (fence.coordinatorEpoch !== 0n && fence.coordinatorEpoch < this.#epoch) {
      this.#leave(`it is of epoch ${fence.coordinatorEpoch}, and epoch ${this.#epoch} has begun`);
      return;
    }
    switch (message.case) {
      case "welcome": {
        const beat = () => this.send({ case: "heartbeat", value: create(HeartbeatSchema) }, NO_RUN);
        beat();
        this.#watch(Number(message.value.heartbeatIntervalMs), beat);
        break;
      }
      case "heartbeat":
        // The first answer tells that it leads, and in which epoch: now it can be told things.
        if (!this.#isLed) this.#found();
        break;
      default:
        this.#handlers.message(message, fence);
    }
  }

  #found(): void {
    this.#isLed = true;
    this.#numFailed = 0;
    this.#noted = "";
    this.#handlers.note(`coordinator ${this.#address}: connected`);
    this.#handlers.connected();
  }

  /** Looks every `everyMs` whether anything was heard. */
  #watch(everyMs: number, beat: () => void): void {
    clearInterval(this.#timer);
    this.#heardAtMs = performance.now();
    this.#tickedAtMs = performance.now();
    const patienceMs = Math.max(MIN_SILENCE_MS, MAX_SILENT_HEARTBEATS * everyMs);
    this.#timer = setInterval(() => {
      const now = performance.now();
      // This process was stopped itself: what it heard may wait in its socket.
      if (now - this.#tickedAtMs > everyMs + MIN_SILENCE_MS / 2) this.#heardAtMs = now;
      this.#tickedAtMs = now;
      const silentMs = now - this.#heardAtMs;
      if (silentMs > patienceMs) this.#leave(`nothing heard for ${(silentMs / 1000).toFixed(1)} s`);
      else beat();
    }, everyMs);
  }

  #leave(why: string): void {
    this.#stream?.abandon();
    this.#lost({ code: status.UNAVAILABLE, why });
  }

  #lost({ code, why }: StreamEnd): void {
    this.#stream = undefined;
    clearInterval(this.#timer);
    const isRefused = REFUSALS.includes(code);
    if (isRefused && !this.#handlers.refused(why)) return;
    this.#numFailed += 1;
    const line = `coordinator ${this.#address}: ${why}`;
    // Said once, however often it is tried.
    if (line !== this.#noted) this.#handlers.note(`${line}; trying on`);
    this.#noted = line;
    this.#address = nextAddress(this.#options.coordinators, this.#address, why);
    const delayMs = isRefused ? REFUSED_RETRY_MS : backOffMs(this.#numFailed, Math.random());
    this.#timer = setTimeout(() => this.open(), delayMs);
  }
}

/** What a message about no run is stamped with. */
export const NO_RUN = { runId: "", generation: 0n };
