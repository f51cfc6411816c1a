import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../faults/patience.ts";
import type { CoordinatorProcess } from "./coordinator.ts";
import type { FromHost, HostOptions, ToHost } from "./protocol.ts";

const AGENTS = join(import.meta.dirname, "agents.ts");
/** Agents of one process: more would wait for each other. */
const AGENTS_PER_PROCESS = 1000;

type Told<Kind extends FromHost["kind"]> = Extract<FromHost, { kind: Kind }>;

/** The processes that hold all agents of a measurement, and what they told. */
export class Hosts {
  readonly #children: ChildProcess[] = [];
  readonly #told: FromHost[] = [];

  /** Starts that many agents; settles once all have begun to connect. */
  static async start(
    coordinator: CoordinatorProcess,
    numAgents: number,
    stepMs: number,
  ): Promise<Hosts> {
    const hosts = new Hosts();
    const { home, address } = coordinator;
    for (let first = 0; first < numAgents; first += AGENTS_PER_PROCESS) {
      const count = Math.min(AGENTS_PER_PROCESS, numAgents - first);
      const log = join(coordinator.directory, `agents-${first}.log`);
      hosts.#fork({ home, coordinator: address, first, count, stepMs }, log);
    }
    await hosts.all("started", () => true);
    return hosts;
  }

  get numProcesses(): number {
    return this.#children.length;
  }

  told<Kind extends FromHost["kind"]>(kind: Kind): Told<Kind>[] {
    return this.#told.filter((message): message is Told<Kind> => message.kind === kind);
  }

  /** Waits until every process has told of something; returns what they told. */
  all<Kind extends FromHost["kind"]>(
    kind: Kind,
    isMeant: (message: Told<Kind>) => boolean,
  ): Promise<Told<Kind>[]> {
    return until(`all agents tell: ${kind}`, () => {
      const found = this.told(kind).filter(isMeant);
      return found.length >= this.numProcesses ? found : undefined;
    });
  }

  /** A rank's process dies. */
  kill(rank: number): void {
    this.#send({ kind: "kill", rank });
  }

  async end(): Promise<void> {
    const gone = this.#children.map(
      (child) => new Promise((resolve) => child.once("exit", resolve)),
    );
    this.#send({ kind: "end" });
    await Promise.all(gone);
  }

  #send(message: ToHost): void {
    for (const child of this.#children) child.send(message);
  }

  #fork(options: HostOptions, logPath: string): void {
    const log = openSync(logPath, "a");
    const child = fork(AGENTS, [JSON.stringify(options)], { stdio: ["ignore", log, log, "ipc"] });
    closeSync(log);
    child.on("message", (message: FromHost) => void this.#told.push(message));
    this.#children.push(child);
  }
}
