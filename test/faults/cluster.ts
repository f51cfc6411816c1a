import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import type { MethodDefinition } from "@grpc/grpc-js";
import { loadAuthority } from "../../coordinator/rpc/authority.ts";
import { callLeader } from "../../coordinator/rpc/call-leader.ts";
import { issue } from "../../coordinator/rpc/certificates.ts";
import type { TlsMaterial } from "../../coordinator/rpc/client.ts";
import {
  AgentState,
  type AgentStatus,
  FleetService,
  ListAgentsRequestSchema,
} from "../../proto/gen/moestro/v1/fleet_pb.js";
import {
  CreateTokenRequestSchema,
  IdentityService,
  Role,
} from "../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import type { Workplace } from "../e2e/moestro.ts";
import { freePort } from "../free-ports.ts";
import { Daemon } from "./daemon.ts";
import type { NodeNetworks } from "./node-networks.ts";
import { until } from "./patience.ts";

const MAIN = fileURLToPath(new URL("../../coordinator/cli/main.ts", import.meta.url));
const AGENT = fileURLToPath(new URL("../../worker/agent/main.ts", import.meta.url));
const HOOKS = fileURLToPath(new URL("hooks", import.meta.url));
const CLOCK = fileURLToPath(new URL("hooks/clock.ts", import.meta.url));
const NUM_SLOTS = 2;
const TOKEN_MS = 10 * 60 * 1000;

export type CoordinatorName = "a" | "b";
export const AGENT_IDS = ["n0", "n1", "n2", "n3"] as const;

export type ClusterOptions = {
  /** A network of its own for each agent; without, all share the loopback interface. */
  networks?: NodeNetworks;
  /** Where runs leave their files. */
  runsDirectory?: string;
};

/**
 * Coordinators on one private Redis, and four agents with two slots each: real processes
 * of one folder. What a test ends or stops here it brings back with `heal`.
 */
export class Cluster {
  readonly place: Workplace;
  readonly faults: string;
  readonly runsDirectory: string;
  readonly coordinators = new Map<CoordinatorName, Daemon>();
  readonly agents = new Map<string, Daemon>();
  readonly networks: NodeNetworks | undefined;
  readonly #ports = new Map<CoordinatorName, [serve: number, join: number]>();
  #material: TlsMaterial | undefined;

  private constructor(place: Workplace, { networks, runsDirectory }: ClusterOptions) {
    this.place = place;
    this.networks = networks;
    this.faults = place.path("faults");
    this.runsDirectory = runsDirectory ?? place.path("runs");
  }

  static async start(place: Workplace, options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(place, options);
    mkdirSync(cluster.faults);
    for (const name of ["a", "b"] as const) {
      cluster.#ports.set(name, [await freePort(), await freePort()]);
    }
    await cluster.heal();
    return cluster;
  }

  /** Everything back as it was at the start: one coordinator at least, and all agents. */
  async heal(): Promise<void> {
    for (const daemon of [...this.coordinators.values(), ...this.agents.values()]) {
      daemon.signal("SIGCONT");
    }
    if (this.running.length === 0) this.startCoordinator("a");
    for (const id of AGENT_IDS) {
      this.networks?.mend(id);
      if (!this.agents.get(id)?.isRunning) await this.startAgent(id);
    }
    await this.connected(AGENT_IDS.length);
  }

  /** Names of the coordinators that run. */
  get running(): CoordinatorName[] {
    return [...this.coordinators].flatMap(([name, { isRunning }]) => (isRunning ? [name] : []));
  }

  startCoordinator(name: CoordinatorName): Daemon {
    const [port, joinPort] = this.#ports.get(name) ?? [0, 0];
    const listen = ["--listen", `${this.#host}:${port}`, "--join-port", String(joinPort)];
    const args = ["serve", ...listen, "--runs-dir", this.runsDirectory];
    const command = [process.execPath, "--import", CLOCK, MAIN, ...args];
    const daemon = this.#daemon(command, `coordinator-${name}`, {});
    this.coordinators.set(name, daemon);
    return daemon;
  }

  coordinator(name: CoordinatorName): Daemon {
    const daemon = this.coordinators.get(name);
    if (!daemon) throw new Error(`coordinator ${name} was never started`);
    return daemon;
  }

  /** Starts the agent: with the certificate it has kept, or with a token for its first one. */
  async startAgent(id: string, log = `agent-${id}`): Promise<Daemon> {
    const token = this.agents.has(id) ? [] : ["--token", await this.#token(id)];
    const addresses = (which: 0 | 1) =>
      [...this.#ports.values()].map((ports) => `${this.#host}:${ports[which]}`).join(",");
    const command = [
      ...[process.execPath, "--import", CLOCK, AGENT, "--agent-id", id],
      ...["--slots", String(NUM_SLOTS), "--coordinator", addresses(0), "--join", addresses(1)],
      ...(this.networks?.agentArguments(id) ?? ["--address", "127.0.0.1"]),
      ...token,
    ];
    const daemon = this.#daemon(this.networks?.inside(id, command) ?? command, log, {
      PYTHONPATH: HOOKS,
      MOESTRO_FAULT_DIRECTORY: this.faults,
    });
    if (log === `agent-${id}`) this.agents.set(id, daemon);
    return daemon;
  }

  agent(id: string): Daemon {
    const daemon = this.agents.get(id);
    if (!daemon) throw new Error(`agent ${id} was never started`);
    return daemon;
  }

  /** Waits until so many agents are connected. */
  async connected(count: number): Promise<void> {
    await until(`${count} connected agents`, async () => {
      const agents = await this.list().catch(() => []);
      return agents.filter(({ state }) => state === AgentState.CONNECTED).length >= count;
    });
  }

  async list(): Promise<AgentStatus[]> {
    const { listAgents } = grpcMethods(FleetService);
    return (await this.call(listAgents, create(ListAgentsRequestSchema))).agents;
  }

  /** One call, as this machine's owner, to whichever coordinator takes it. */
  async call<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
  ): Promise<Response> {
    const addresses = this.running.map((name) => `${this.#host}:${this.#ports.get(name)?.[0]}`);
    const material = await this.material();
    return callLeader({ addresses, material }, method, request);
  }

  /** The certificate of this machine's owner. */
  async material(): Promise<TlsMaterial> {
    if (this.#material) return this.#material;
    const now = new Date();
    const authority = await loadAuthority(this.place.home, now);
    const owner = { name: "user:local", role: "admin", hosts: [] } as const;
    this.#material = { ...(await issue(authority, owner, now)), authority: authority.certificate };
    return this.#material;
  }

  /** Address of a coordinator. */
  address(name: CoordinatorName): string {
    return `${this.#host}:${this.#ports.get(name)?.[0]}`;
  }

  /** What a coordinator has logged, over all its starts. */
  log(name: CoordinatorName): string {
    return this.coordinator(name).log;
  }

  /** Ends agents and coordinators as a person would, and sees that nothing is left. */
  async close(): Promise<void> {
    for (const daemon of this.agents.values()) daemon.signal("SIGTERM");
    await Promise.all([...this.agents.values()].map(({ ended }) => ended));
    for (const daemon of this.coordinators.values()) await daemon.end();
    await this.place.nothingLeft(10_000);
  }

  get #host(): string {
    return this.networks?.host ?? "127.0.0.1";
  }

  #daemon(command: readonly string[], name: string, env: NodeJS.ProcessEnv): Daemon {
    const { place } = this;
    const environment = { ...process.env, MOESTRO_HOME: place.home, OMP_NUM_THREADS: "1", ...env };
    return new Daemon(command, environment, place.directory, place.path(`${name}.log`));
  }

  async #token(id: string): Promise<string> {
    const { createToken } = grpcMethods(IdentityService);
    const request = create(CreateTokenRequestSchema, {
      ...{ role: Role.AGENT, name: id, lifetimeMs: BigInt(TOKEN_MS) },
    });
    return until(`a token for agent ${id}`, () =>
      this.call(createToken, request).then(
        ({ token }) => token,
        () => undefined,
      ),
    );
  }
}

/** Free just now, and not given again soon. */
