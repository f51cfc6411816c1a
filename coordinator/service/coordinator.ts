import { join } from "node:path";
import { MoestroError } from "../errors.ts";
import { Fleet, type FleetOptions } from "../fleet/fleet.ts";
import { createHttpServer } from "../observability/http.ts";
import type { Log } from "../observability/log.ts";
import { Metrics } from "../observability/metrics.ts";
import type { ServiceState } from "../observability/telemetry.ts";
import { openTracing, type TraceRecovery } from "../observability/trace.ts";
import { PlanThread } from "../planner/plan-thread.ts";
import { LookQueue } from "../queue/look-queue.ts";
import type { Quotas, SchedulingOptions } from "../queue/scheduling.ts";
import { formatAddress, type HostPort } from "../rpc/address.ts";
import { addAgentService } from "../rpc/agent-service.ts";
import { openAuditLog } from "../rpc/audit.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { addFleetService } from "../rpc/fleet-service.ts";
import { createGuard } from "../rpc/guard.ts";
import { addIdentityService } from "../rpc/identity-service.ts";
import { addJoinService, type PodIdentities } from "../rpc/join-service.ts";
import { issueCoordinator, keepCertified } from "../rpc/keep-certified.ts";
import { listenSideBySide } from "../rpc/listen-side-by-side.ts";
import { notLeading } from "../rpc/not-leading.ts";
import { addRunService } from "../rpc/run-service.ts";
import { createJoinServer, createRpcServer, type RpcServer } from "../rpc/server.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { currentHolder } from "../store/holder.ts";
import { PrivateRedis } from "../store/redis-server.ts";
import { openRedisStore } from "../store/redis-store.ts";
import type { Held, Store } from "../store/store.ts";
import { type Advertise, advertisedHost, certifiedHosts, localHost } from "./advertised-address.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Leadership } from "./leadership.ts";
import { machineAddresses } from "./machine-addresses.ts";
import { SizesOfJobs } from "./queued-run.ts";
import { keepEndedRuns } from "./retention.ts";
import { ServiceAgents } from "./service-agents.ts";
import { ServiceRuns } from "./service-runs.ts";

export type CoordinatorOptions = {
  stateDirectory: string;
  runsDirectory: string;
  cacheDirectory: string;
  /** Without one, a private server in the state directory. */
  redisUrl: string | undefined;
  listen: HostPort;
  /** Where agents and commands are told that it is; chosen by where it listens if undefined. */
  advertise: Advertise | undefined;
  /** Of the port where holders of a token join; the other's plus one if undefined. */
  joinPort: number | undefined;
  quotas: Quotas;
  scheduling: SchedulingOptions;
  /** How many runs that are over the store keeps, the last to end. */
  keepEnded: number;
  /** The interface ranks talk over, unless their agent names one. */
  networkInterface: string;
  /** Where probes and Prometheus ask; nowhere if undefined. */
  http: { host: string; port: number } | undefined;
  /** Whom agents in pods are; without them none joins by a service-account token. */
  pods?: PodIdentities | undefined;
  /** As `FleetOptions` has it. */
  whyGone?: FleetOptions["whyGone"];
  log: Log;
};

/** A coordinator of a service: one of those that share a store leads, the others stand by. */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #closing: (() => Promise<void> | void)[] = [];
  #address = "";
  #localAddress = "";
  #store: Store | undefined;
  #looks: LookQueue | undefined;
  #fleet: Fleet | undefined;
  #leadership: Leadership | undefined;
  #dispatcher: Dispatcher | undefined;
  #stopDropping = () => {};
  #isStoreReachable = true;
  #isReady = false;
  /** What is told of all this. */
  readonly metrics = new Metrics();
  #authority = "";
  #runs: ServiceRuns | undefined;
  #trace: TraceRecovery = () => {};
  readonly #planning = new PlanThread();
  readonly #sizes = new SizesOfJobs((job, ranks) => this.#planning.plan(job, ranks));

  private constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const coordinator = new Coordinator(options);
    try {
      await coordinator.#start();
      return coordinator;
    } catch (error) {
      await coordinator.close();
      throw error;
    }
  }

  /** host:port by which others reach its gRPC server. */
  get address(): string {
    return this.#address;
  }

  /** The same for processes of this machine. */
  get localAddress(): string {
    return this.#localAddress;
  }

  /** The certificate of the authority that coordinators are known by, PEM. */
  get authority(): string {
    return this.#authority;
  }

  /** Its runs, as its gRPC services have them. */
  get runs(): ServiceRuns {
    if (!this.#runs) throw new Error("the coordinator has not started");
    return this.#runs;
  }

  get isLeading(): boolean {
    return this.#leadership?.held !== undefined;
  }

  /** Ends serving. Ranks go on: another coordinator, or this one started again, takes them over. */
  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    this.#planning.close();
  }

  async #start(): Promise<void> {
    const { log, listen, advertise, stateDirectory } = this.#options;
    const authority = await loadAuthority(stateDirectory, new Date());
    this.#authority = authority.certificate;
    const redisUrl = this.#options.redisUrl ?? (await this.#privateRedis());
    const { store, warnings } = await openRedisStore(redisUrl);
    this.#store = store;
    this.#closing.push(() => store.close());
    for (const warning of warnings) log.warn(warning);
    const looks = await LookQueue.open({ url: redisUrl, report: (line) => log.warn(line) });
    this.#looks = looks;
    this.#closing.push(() => looks.close());
    const audit = openAuditLog(join(stateDirectory, "audit.jsonl"), {
      now: () => new Date(),
      failed: (line) => log.error(line),
    });
    this.#closing.push(() => audit.close());
    const fleet = this.#createFleet();
    const runs = new ServiceRuns({
      store,
      dispatcher: () => this.#dispatcher,
      look: (runId) => looks.look(runId),
      directory: (runId) => new RunDirectory(join(this.#options.runsDirectory, runId)),
      sizes: this.#sizes,
      now: () => Date.now(),
    });
    this.#runs = runs;
    const agents = new ServiceAgents({
      ...{ store, fleet },
      dispatcher: () => this.#dispatcher,
      notLeading: () => new MoestroError("environment", notLeading(this.#otherLeader)),
    });
    const host = advertisedHost(listen.host, advertise, await machineAddresses());
    const hosts = certifiedHosts(listen.host, host);
    const identity = await issueCoordinator(authority, hosts);
    const guard = createGuard({ ownerOf: (runId) => runs.owner(runId), audit });
    const rpc = createRpcServer(authority, identity, guard);
    const joining = createJoinServer(
      authority,
      identity,
      createGuard({ ownerOf: async () => undefined, audit }),
    );
    const issuer = { authority, now: () => new Date() };
    addAgentService(rpc.server, fleet);
    addRunService(rpc.server, runs);
    addFleetService(rpc.server, agents);
    addIdentityService(rpc.server, { issuer, tokens: store });
    addJoinService(joining.server, { issuer, tokens: store, pods: this.#options.pods });
    const port = await this.#listen(rpc, joining);
    this.#address = formatAddress({ host, port: advertise?.port ?? port });
    this.#localAddress = formatAddress({ host: localHost(listen.host), port });
    this.#closing.push(keepCertified(authority, hosts, [rpc, joining]));
    this.#trace = await openTracing();
    this.#lead(store);
    rpc.setServing(true);
    await this.#serveHttp();
  }

  get #otherLeader(): string | undefined {
    const leader = this.#leadership?.leader;
    return leader === this.#address ? undefined : leader;
  }

  async #privateRedis(): Promise<string> {
    const redis = await PrivateRedis.open(this.#options.stateDirectory);
    this.#closing.push(() => redis.close());
    redis.keepAlive((line) => this.#options.log.warn(line));
    return redis.url;
  }

  #createFleet(): Fleet {
    const { log } = this.#options;
    const fleet = new Fleet({
      epoch: () => {
        const held = this.#leadership?.held;
        return held && this.#isReady ? BigInt(held.epoch) : undefined;
      },
      leader: () => this.#otherLeader,
      changed: () => this.#dispatcher?.pass(),
      ...(this.#options.whyGone ? { whyGone: this.#options.whyGone } : {}),
      leaving: (agentId, reason) => this.#dispatcher?.agentLeaves(agentId, reason),
      overtaken: () => this.#leadership?.overtaken(),
      refusedStale: (agentId, { message, fence }) => {
        const [run, generation] = [fence?.runId ?? "", Number(fence?.generation ?? 0n)];
        const kind = message.case ?? "unknown";
        const about = { agent: agentId, run, generation };
        log.info(`a stale message (${kind}) of agent ${agentId} was refused`, about);
        if (message.case !== "step") return;
        const supervisor = this.#dispatcher?.supervisor(run);
        supervisor?.provesFalseRestart(generation, Number(message.value.step));
      },
    });
    this.#fleet = fleet;
    this.#closing.push(() => fleet.close());
    return fleet;
  }

  /** Returns the port. */
  async #listen(rpc: RpcServer, joining: Pick<RpcServer, "listen" | "close">): Promise<number> {
    const { listen, joinPort } = this.#options;
    this.#closing.push(
      () => rpc.close(),
      () => joining.close(),
    );
    if (joinPort === undefined) return listenSideBySide(rpc, joining, listen);
    const port = await rpc.listen(listen.host, listen.port);
    await joining.listen(listen.host, joinPort);
    return port;
  }

  #lead(store: Store): void {
    const { log } = this.#options;
    const leadership = new Leadership({
      store,
      holder: currentHolder(),
      address: this.#address,
      gained: (held) => this.#gained(held),
      lost: (reason) => {
        log.warn(`leads no more: ${reason}`);
        this.#letGo();
      },
      storeEmptied: async () => {
        log.warn("the store came back empty; putting back what is known here");
        await this.#dispatcher?.restore();
      },
      storeReachable: (reachable, why) => {
        this.#isStoreReachable = reachable;
        if (reachable) log.info("the store is there again");
        else log.warn(`the store is out of reach: ${why}`);
      },
    });
    this.#leadership = leadership;
    this.#closing.push(async () => {
      this.#letGo();
      await leadership.stop();
    });
    leadership.start();
  }

  async #gained(held: Held): Promise<void> {
    const { log, runsDirectory, cacheDirectory, networkInterface } = this.#options;
    const { quotas, scheduling } = this.#options;
    const store = this.#store;
    const fleet = this.#fleet;
    if (!store || !fleet) return;
    const dispatcher = new Dispatcher({
      ...{ store, held, fleet, runsDirectory, cacheDirectory, networkInterface },
      ...{ quotas, scheduling, sizes: this.#sizes },
      ...{ telemetry: this.metrics, trace: this.#trace },
      leads: () => this.#leadership?.held !== undefined,
      log: {
        event: (runId, { event, message, rank, agent }) =>
          log.info(message, {
            ...{ run: runId, event, generation: this.#generationOf(runId) },
            ...(typeof rank === "number" ? { rank } : {}),
            ...(typeof agent === "string" ? { agent } : {}),
          }),
        notPlanned: (runId, why) => log.warn(`run ${runId} is not planned: ${why}`, { run: runId }),
        failed: (runId, why) => log.error(`run ${runId} failed: ${why}`, { run: runId }),
      },
    });
    this.#dispatcher = dispatcher;
    log.info(`leads under epoch ${held.epoch}`, { epoch: held.epoch });
    await dispatcher.begin();
    // Now that every run that has ranks waits for its agents, none of them is a stranger.
    this.#isReady = true;
    // The lease may have been lost meanwhile, and even won again.
    if (this.#dispatcher !== dispatcher) return;
    this.#looks?.start((runId) => dispatcher.look(runId));
    this.#stopDropping = keepEndedRuns({
      ...{ store, held, keepEnded: this.#options.keepEnded },
      dropped: (numRuns) =>
        log.info(`dropped ${numRuns} runs that ended long ago; their folders stay`),
    });
  }

  #generationOf(runId: string): number | undefined {
    return this.#dispatcher?.supervisor(runId)?.facts.generation;
  }

  async #serveHttp(): Promise<void> {
    const { http, log } = this.#options;
    this.metrics.observe(() => this.#state());
    if (!http) return;
    const server = createHttpServer({
      metrics: this.metrics,
      notReady: () => (this.#isStoreReachable ? undefined : "the store is out of reach"),
    });
    this.#closing.push(() => server.close());
    const port = await server.listen(http.host, http.port);
    log.info(`metrics and health on http://${formatAddress({ host: http.host, port })}`);
  }

  #state(): ServiceState {
    const held = this.#leadership?.held;
    const members = this.#dispatcher ? (this.#fleet?.members() ?? []) : [];
    return {
      ...{ leads: held !== undefined, epoch: held?.epoch ?? 0 },
      storeReachable: this.#isStoreReachable,
      agents: members.map(({ agentId, verdict: { verdict }, silentMs }) => ({
        ...{ agentId, silentMs, state: verdict === "present" ? "connected" : verdict },
      })),
      runs: this.#dispatcher?.runs() ?? [],
    };
  }

  #letGo(): void {
    const dispatcher = this.#dispatcher;
    if (!dispatcher) return;
    this.#dispatcher = undefined;
    this.#isReady = false;
    this.#stopDropping();
    dispatcher.detach();
    this.#fleet?.turnAway(notLeading(this.#otherLeader));
    void this.#looks?.stop();
  }
}
