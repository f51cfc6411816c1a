import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream, type status } from "@grpc/grpc-js";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { planJob } from "../../coordinator/planner/plan-job.ts";
import { loadAuthority } from "../../coordinator/rpc/authority.ts";
import { issue } from "../../coordinator/rpc/certificates.ts";
import { writeCredentials } from "../../coordinator/rpc/credentials-file.ts";
import { compileJob } from "../../coordinator/spec/compile-job.ts";
import { loadJob } from "../../coordinator/spec/load-job.ts";
import {
  AgentService,
  type ConnectRequest,
  type ConnectResponse,
  ConnectResponseSchema,
  HeartbeatReplySchema,
  type StartRanks,
  StartRanksSchema,
  WelcomeSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { tinyJob, tinyTraining } from "../../test/e2e/moestro.ts";
import { credentialsPath } from "./credentials.ts";
import type { GroupFence } from "./group-facts.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const HEARTBEAT_MS = 200;
/** Far above what anything here takes; who waits so long has found a hang. */
const PATIENCE_MS = 180_000;

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>;
type Message = NonNullable<ConnectRequest["message"]>;
type Case = Exclude<Message["case"], undefined>;
export type Received<Kind extends Case> = Extract<Message, { case: Kind }>["value"];

/** A coordinator that tells agents what a test wants and writes down what they say. */
export class TestCoordinator {
  readonly address: string;
  /** All but heartbeats, of all connections, in order. */
  readonly received: ConnectRequest[] = [];
  /** Answers every connection with this, where it is set. */
  refusal: { code: status; details: string } | undefined;
  readonly #server: Server;
  readonly #epoch: bigint;
  #stream: Stream | undefined;

  private constructor(server: Server, port: number, epoch: bigint) {
    this.#server = server;
    this.#epoch = epoch;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(home: string, epoch: bigint): Promise<TestCoordinator> {
    const authority = await loadAuthority(home, new Date());
    const who = { name: "coordinator", hosts: ["127.0.0.1"] };
    const { certificate, key } = await issue(authority, who, new Date());
    const pair = { cert_chain: Buffer.from(certificate), private_key: Buffer.from(key) };
    const tls = ServerCredentials.createSsl(Buffer.from(authority.certificate), [pair], true);
    const server = new Server();
    let coordinator: TestCoordinator | undefined;
    server.addService(grpcMethods(AgentService), {
      connect: (stream: Stream) => coordinator?.serve(stream),
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", tls, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    coordinator = new TestCoordinator(server, port, epoch);
    return coordinator;
  }

  serve(stream: Stream): void {
    stream.on("error", () => {});
    stream.on("data", (request: ConnectRequest) => {
      if (this.refusal) {
        stream.emit("error", this.refusal);
        return;
      }
      if (request.message.case === "heartbeat") {
        this.#write(stream, NO_RUN, { case: "heartbeat", value: create(HeartbeatReplySchema) });
        return;
      }
      this.received.push(request);
      if (request.message.case !== "hello") return;
      this.#stream = stream;
      const value = create(WelcomeSchema, { heartbeatIntervalMs: BigInt(HEARTBEAT_MS) });
      stream.write(create(ConnectResponseSchema, { message: { case: "welcome", value } }));
    });
    stream.on("end", () => stream.end());
  }

  send(fence: GroupFence, message: ConnectResponse["message"]): void {
    if (this.#stream) this.#write(this.#stream, fence, message);
  }

  /** Ends the connection; the agent may come again. */
  cut(why = "cut"): void {
    this.#stream?.emit("error", { code: 14, details: why });
    this.#stream = undefined;
  }

  /** Messages of a kind, about a run if one is given, from the `from`-th of all messages on. */
  all<Kind extends Case>(kind: Kind, runId?: string, from = 0): Received<Kind>[] {
    return this.received.slice(from).flatMap(({ message, fence }) => {
      const isMeant = message.case === kind && (runId === undefined || fence?.runId === runId);
      return isMeant ? [message.value as Received<Kind>] : [];
    });
  }

  close(): void {
    this.#server.forceShutdown();
  }

  #write(stream: Stream, fence: GroupFence, message: ConnectResponse["message"]): void {
    const stamped = { ...fence, coordinatorEpoch: this.#epoch };
    stream.write(create(ConnectResponseSchema, { fence: stamped, message }));
  }
}

export const NO_RUN: GroupFence = { runId: "", generation: 0n };

/** A folder for agents and what they run. */
export class Place {
  readonly directory = mkdtempSync(join(tmpdir(), "moestro-agent-test-"));
  readonly #agents: ChildProcess[] = [];

  constructor() {
    mkdirSync(this.path("texts"));
    const line = (file: number) => `def f(x): return x + ${file}\n`.repeat(60);
    for (let file = 0; file < 40; file += 1) {
      writeFileSync(this.path("texts", `${file}.py`), line(file));
    }
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Starts an agent as a process of its own. */
  async agent(id: string, coordinators: readonly string[], ...args: string[]) {
    const authority = await loadAuthority(this.directory, new Date());
    const identity = await issue(authority, { name: `agent:${id}`, hosts: [] }, new Date());
    const credentials = this.path(`credentials-${id}`);
    writeCredentials(credentialsPath(credentials), {
      authority: authority.certificate,
      ...identity,
    });
    const flags = [
      ...["--coordinator", coordinators.join(","), "--agent-id", id],
      ...["--credentials", credentials, "--python", pythonExecutable(), "--slots", "2"],
    ];
    const child = spawn(process.execPath, [MAIN, ...flags, ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#agents.push(child);
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    return { pid: child.pid ?? 0, child, ended, stderr: () => stderr };
  }

  /** What starts a tiny job on two ranks of one agent. */
  async start(name: string, steps: number): Promise<StartRanks> {
    const path = this.path(`${name}.yaml`);
    const text = tinyJob({
      training: { ...tinyTraining(steps), sampleBytes: 0, validationEverySteps: 0 },
      controller: { strict: false },
      layout: { pipelineParallel: 2 },
      cluster: { ranks: 2, device: "cpu" },
      data: { path: this.path("texts"), validationFraction: 0.2 },
    });
    writeFileSync(path, text);
    const { job } = await loadJob(path);
    const engineJob = compileJob(job, {
      checkpointDirectory: this.path(name),
      cacheDirectory: this.path("cache"),
      device: "cpu",
    });
    return create(StartRanksSchema, {
      ...{ job: engineJob, plan: planJob(job), ranks: [0, 1], slots: [0, 1] },
      ...{ networkInterface: "lo", rendezvousHost: "127.0.0.1" },
      ...{ collectiveTimeoutMs: 30_000n, logDirectory: this.path("logs", name) },
    });
  }

  async remove(): Promise<void> {
    for (const agent of this.#agents) agent.kill("SIGKILL");
    await until(() =>
      this.#agents.every(({ exitCode, signalCode }) => exitCode !== null || signalCode),
    );
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Waits for what a test awaits, and returns it. */
export async function until<Value>(
  look: () => Value | undefined | false | null | "",
): Promise<Value> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`what was awaited never came: ${look}`);
    await sleep(20);
  }
}

/** Child processes of a process, with their command lines. */
export function childrenOf(pid: number): { pid: number; command: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(parent) !== pid || state === "Z") return [];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return [{ pid: Number(name), command }];
    } catch {
      return [];
    }
  });
}
