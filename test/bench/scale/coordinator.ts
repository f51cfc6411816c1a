import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@grpc/grpc-js";
import { loadAuthority } from "../../../coordinator/rpc/authority.ts";
import { issue } from "../../../coordinator/rpc/certificates.ts";
import { openClient } from "../../../coordinator/rpc/client.ts";
import type { Role } from "../../../coordinator/rpc/roles.ts";
import { Daemon } from "../../faults/daemon.ts";
import { until } from "../../faults/patience.ts";
import { freePort } from "../../free-ports.ts";
import { cpuSeconds, memoryBytes } from "./process-figures.ts";

const MAIN = join(import.meta.dirname, "../../../bin/moestro.mjs");

/** A `moestro serve` in a process of its own, with its own Redis, in a folder of its own. */
export class CoordinatorProcess {
  readonly directory = mkdtempSync(join(tmpdir(), "moestro-scale-"));
  readonly home = join(this.directory, "home");
  readonly joinPort: number;
  readonly #daemon: Daemon;
  #address = "";

  /** Waits until it leads. `nodeOptions`: of the coordinator's Node, such as --cpu-prof. */
  static async start(nodeOptions: readonly string[] = []): Promise<CoordinatorProcess> {
    const coordinator = new CoordinatorProcess(nodeOptions, await freePort());
    try {
      await coordinator.#ready();
      return coordinator;
    } catch (error) {
      await coordinator.end();
      throw error;
    }
  }

  private constructor(nodeOptions: readonly string[], joinPort: number) {
    this.joinPort = joinPort;
    mkdirSync(this.home, { mode: 0o700 });
    const serve = [
      ...["serve", "--listen", "127.0.0.1:0", "--join-port", String(joinPort)],
      ...["--runs-dir", join(this.directory, "runs")],
    ];
    this.#daemon = new Daemon(
      [process.execPath, ...nodeOptions, MAIN, ...serve],
      { ...process.env, MOESTRO_HOME: this.home },
      this.directory,
      join(this.directory, "serve.log"),
    );
    // It has a session of its own, and would outlive a measurement that is interrupted.
    process.once("exit", () => this.#daemon.signal("SIGTERM"));
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => process.exit(130));
    }
  }

  async #ready(): Promise<void> {
    await until("the coordinator leads", () => {
      if (!this.#daemon.isRunning) throw new Error(`moestro serve has ended:\n${this.log}`);
      return this.log.includes("leads under epoch");
    });
    const path = join(this.home, "coordinators", `${this.#daemon.pid}.json`);
    const text = await until("its address is known", () => readOrNothing(path));
    this.#address = JSON.parse(text).address;
  }

  get address(): string {
    return this.#address;
  }

  get isRunning(): boolean {
    return this.#daemon.isRunning;
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon.signal(signal);
  }

  get log(): string {
    return this.#daemon.log;
  }

  /** Processor time it has used so far. */
  cpuSeconds(): number {
    return cpuSeconds(this.#daemon.pid);
  }

  memory(): { residentBytes: number; peakBytes: number } {
    return memoryBytes(this.#daemon.pid);
  }

  runFile(runId: string, name: string): string {
    return readFileSync(join(this.directory, "runs", runId, name), "utf8");
  }

  async certificate(name: string, role?: Role) {
    const authority = await loadAuthority(this.home, new Date());
    const who = { name, hosts: [], ...(role ? { role } : {}) };
    return { authority: authority.certificate, ...(await issue(authority, who, new Date())) };
  }

  /** A client with a connection of its own. */
  async client(name: string, role?: Role): Promise<Client> {
    return openClient(this.#address, await this.certificate(name, role), {
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  async end(): Promise<void> {
    await this.#daemon.end();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A port that nobody listens on just now. */
function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
