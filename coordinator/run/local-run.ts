import { mkdirSync, rmSync } from "node:fs";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { Fleet } from "../fleet/fleet.ts";
import { NO_TELEMETRY } from "../observability/telemetry.ts";
import { formatAddress } from "../rpc/address.ts";
import { addAgentService } from "../rpc/agent-service.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { type Identity, issue } from "../rpc/certificates.ts";
import { addRunService } from "../rpc/run-service.ts";
import { createRpcServer, type RpcServer } from "../rpc/server.ts";
import { holderOf } from "../store/holder.ts";
import type { Held, Placed, Store } from "../store/store.ts";
import { createSupervisor, type RunToSupervise } from "./create-supervisor.ts";
import { writeAtomically } from "./files.ts";
import { LocalAgent, reapRanks } from "./local-agent.ts";
import { OneRun } from "./one-run.ts";
import type { RunDirectory } from "./run-directory.ts";
import type { RunEnd } from "./run-end.ts";
import type { RunObserver } from "./run-journal.ts";
import type { Supervisor } from "./supervisor.ts";

const AGENT_ID = "local";
/** An agent ends its ranks and itself well within this. */
const AGENT_END_MS = 4000;

export type LocalRunOptions = {
  run: RunToSupervise;
  plan: Plan;
  directory: RunDirectory;
  store: Store;
  held: Held;
  python: string;
  cacheDirectory: string;
  /** Folder of the certificate authority. */
  authorityDirectory: string;
  listen: { host: string; port: number };
  observer: RunObserver;
};

/** A run carried out in this process: coordinator, gRPC server and the machine's agent. */
export class LocalRun {
  readonly #options: LocalRunOptions;
  readonly #fleet: Fleet;
  readonly #supervisor: Supervisor;
  readonly #placed: readonly Placed[];

  constructor(options: LocalRunOptions) {
    const { plan, held, run } = options;
    this.#options = options;
    const slots = Array.from({ length: plan.worldSize }, (_, slot) => slot);
    this.#placed = [{ agentId: AGENT_ID, slots }];
    this.#fleet = new Fleet({
      epoch: () => BigInt(held.epoch),
      leader: () => undefined,
      changed: () => {},
      overtaken: () => {},
      refusedStale: (agentId, { message: { case: kind = "unknown" } }) => {
        const message = `a stale message (${kind}) of agent ${agentId} was refused`;
        this.#event("message.refused", message);
      },
    });
    mkdirSync(options.directory.logs(run.generation + 1), { recursive: true });
    this.#supervisor = createSupervisor(run, {
      ...options,
      fleet: this.#fleet,
      slots: { next: async () => this.#placed },
      networkInterface: process.platform === "linux" ? "lo" : "lo0",
      planFor: () => plan,
      leads: () => true,
      telemetry: NO_TELEMETRY,
      trace: () => {},
    });
  }

  /** Asks for an end, after a checkpoint or at once; asking for the same again changes nothing. */
  stop(checkpoint: boolean): void {
    this.#supervisor.stop(checkpoint);
  }

  /** Carries the run out to its end, whatever that is. */
  async carryOut(): Promise<RunEnd> {
    const { directory, authorityDirectory, listen } = this.#options;
    let rpc: RpcServer | undefined;
    try {
      const authority = await loadAuthority(authorityDirectory, new Date());
      const hosts = ["localhost", listen.host];
      const identity = await issue(authority, { name: "coordinator", hosts }, new Date());
      rpc = createRpcServer(authority, identity);
      return await this.#lead(rpc, authority);
    } finally {
      rmSync(directory.endpoint, { force: true });
      this.#fleet.close();
      await rpc?.close();
    }
  }

  /** Serves, starts the agent and sees the run through; no process of it is left. */
  async #lead(rpc: RpcServer, authority: Identity): Promise<RunEnd> {
    const { run, listen } = this.#options;
    const supervisor = this.#supervisor;
    addAgentService(rpc.server, this.#fleet);
    addRunService(rpc.server, new OneRun(supervisor, this.#options.directory));
    const port = await rpc.listen(listen.host, listen.port);
    const address = formatAddress({ host: listen.host, port });
    rpc.setServing(true);
    this.#publishEndpoint(address);
    this.#event("coordinator.listening", `gRPC with mutual TLS on ${address}`, {
      pid: process.pid,
      generation: run.generation + 1,
    });
    const agents = this.#keepAgent(authority, address);
    try {
      return await supervisor.carryOut(this.#placed);
    } finally {
      await agents.end();
      const holders = [...supervisor.pids.values()].flatMap((pid) => holderOf(pid) ?? []);
      await reapRanks(holders);
    }
  }

  /** Starts the machine's agent, and another one should it end before the run does. */
  #keepAgent(authority: Identity, coordinator: string) {
    let isOver = false;
    let current: LocalAgent | undefined;
    const kept = (async () => {
      while (!isOver) {
        current = await this.#startAgent(authority, coordinator);
        if (isOver) break;
        const how = await current.ended;
        if (!isOver) this.#event("agent.ended", `agent ${AGENT_ID} is gone: ${how}`);
      }
    })();
    return {
      end: async () => {
        isOver = true;
        this.#fleet.dismiss(AGENT_ID);
        await current?.end(AGENT_END_MS);
        await kept;
        await current?.end(AGENT_END_MS);
      },
    };
  }

  async #startAgent(authority: Identity, coordinator: string): Promise<LocalAgent> {
    const { directory, python, plan, run } = this.#options;
    const agent = await LocalAgent.start({
      ...{ authority, coordinator, python, agentId: AGENT_ID, numSlots: plan.worldSize },
      logPath: `${directory.logs(run.generation + 1)}/agent.log`,
    });
    const message = `agent ${AGENT_ID} started as process ${agent.pid}`;
    this.#event("agent.started", message, { agent: AGENT_ID, pid: agent.pid });
    return agent;
  }

  #event(event: string, message: string, details: Record<string, unknown> = {}): void {
    this.#supervisor.event(event, message, details);
  }

  /** Lets `moestro status` and `moestro stop` find this coordinator. */
  #publishEndpoint(address: string): void {
    const endpoint = { address, pid: process.pid, runId: this.#options.run.runId };
    writeAtomically(this.#options.directory.endpoint, `${JSON.stringify(endpoint)}\n`);
  }
}
