import { mkdirSync, rmSync } from "node:fs";
import type { EngineJob } from "../../proto/gen/moestro/v1/job_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import type { CheckpointShards } from "../../proto/gen/moestro/v1/report_pb.js";
import type { ControllerOptions, ControllerState } from "../controller/controller.ts";
import { coefficientsMessage } from "../controller/message.ts";
import { MoestroError } from "../errors.ts";
import type { SummaryRecord } from "../report/records.ts";
import { addAgentService } from "../rpc/agent-service.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { type Identity, issue } from "../rpc/certificates.ts";
import { addRunService } from "../rpc/run-service.ts";
import { createRpcServer, type RpcServer } from "../rpc/server.ts";
import { writeAtomically } from "./files.ts";
import { Generation } from "./generation.ts";
import type { CheckpointLedger, CommittedCheckpoint } from "./ledger.ts";
import { LiveRun, type RunObserver } from "./live-run.ts";
import { LocalAgent, reapRanks } from "./local-agent.ts";
import type { Decision } from "./policy.ts";
import { Recorder } from "./recorder.ts";
import type { ResumeNote } from "./resume.ts";
import type { RunDirectory } from "./run-directory.ts";
import type { RunState } from "./run-state.ts";
import { summaryRecord } from "./summary.ts";

const AGENT_ID = "local";
/** Above any step of a model that fits one machine; a hung peer is noticed after it. */
const COLLECTIVE_TIMEOUT_MS = 10 * 60 * 1000;
/** An agent ends its ranks and itself well within this. */
const AGENT_END_MS = 4000;

export type LocalRunOptions = {
  runId: string;
  name: string;
  directory: RunDirectory;
  engineJob: EngineJob;
  plan: Plan;
  python: string;
  /** Folder of the certificate authority. */
  authorityDirectory: string;
  listen: { host: string; port: number };
  epoch: number;
  generation: number;
  ledger: CheckpointLedger;
  restore: CommittedCheckpoint | undefined;
  /** The controller as it stands behind the restored step. */
  controller: ControllerState;
  controlLaw: ControllerOptions;
  keepCheckpoints: number;
  /** What was found while the run was prepared, to be recorded with it. */
  notes: readonly ResumeNote[];
  observer: RunObserver;
  /** Stores a change of state. */
  stateChanged(state: RunState, reason: string): Promise<void>;
};

export type LocalRunResult = { summary: SummaryRecord; decision: Decision };

/** A run carried out in this process: coordinator, gRPC server and the machine's agent. */
export class LocalRun {
  readonly #options: LocalRunOptions;
  readonly #recorder: Recorder;
  readonly #live: LiveRun;
  readonly #generation: Generation;
  #stopping = false;

  constructor(options: LocalRunOptions) {
    const { directory, restore, plan, engineJob, runId, generation } = options;
    this.#options = options;
    const lastStep = restore?.manifest.step ?? 0;
    mkdirSync(directory.logs(generation), { recursive: true });
    this.#recorder = new Recorder(directory, lastStep);
    this.#live = new LiveRun({
      ...{ runId, generation, plan, lastStep },
      totalSteps: Number(engineJob.training?.steps ?? 0n),
      controller: options.controller,
      checkpointEverySteps: Number(engineJob.checkpoint?.everySteps ?? 0n),
      controlLaw: options.controlLaw,
      recorder: this.#recorder,
      observer: options.observer,
      commit: (...committed) => this.#commit(...committed),
      expectedSourceHash: restore?.manifest.sourceHash,
      stateChanged: options.stateChanged,
    });
    this.#generation = new Generation(
      {
        fence: {
          runId,
          generation: BigInt(generation),
          coordinatorEpoch: BigInt(options.epoch),
        },
        job: engineJob,
        plan,
        agentIds: [AGENT_ID],
        restore,
        coefficients: options.controller.scheduled.map(coefficientsMessage),
        collectiveTimeoutMs: COLLECTIVE_TIMEOUT_MS,
        networkInterface: process.platform === "linux" ? "lo" : "lo0",
        rendezvousHost: "127.0.0.1",
        logDirectory: directory.logs(generation),
      },
      this.#live,
    );
  }

  /** Asks for an end, after a checkpoint or at once; asking for the same again changes nothing. */
  stop(checkpoint: boolean): void {
    if (this.#live.isEnded() || (checkpoint && this.#stopping)) return;
    this.#stopping = true;
    const how = checkpoint ? "after a checkpoint" : "at once";
    this.#live.setState("stopping", `asked to stop ${how}`);
    this.#generation.stop(checkpoint);
  }

  /** Carries the run out to its end, whatever that is. */
  async carryOut(): Promise<LocalRunResult> {
    const startedAt = performance.now();
    const { directory, authorityDirectory, listen } = this.#options;
    let rpc: RpcServer | undefined;
    try {
      const authority = await loadAuthority(authorityDirectory, new Date());
      const hosts = ["localhost", listen.host];
      const identity = await issue(authority, { name: "coordinator", hosts }, new Date());
      rpc = createRpcServer(authority, identity);
      const decision = await this.#lead(rpc, authority);
      return { summary: await this.#conclude(decision, startedAt), decision };
    } catch (error) {
      const decision = { decision: "fail", userError: false } as const;
      const reason = (error as Error).message;
      // What stopped the run may also keep its end from being written: the cause is told.
      if (!this.#live.isEnded()) {
        await this.#conclude({ ...decision, reason }, startedAt).catch(() => {});
      }
      throw error;
    } finally {
      rmSync(directory.endpoint, { force: true });
      await rpc?.close();
      this.#recorder.close();
    }
  }

  /** Serves, starts the agent and waits for what becomes of the ranks; none of them is left. */
  async #lead(rpc: RpcServer, authority: Identity): Promise<Decision> {
    const { runId, listen, generation, plan, notes, engineJob } = this.#options;
    addAgentService(rpc.server, this.#generation);
    addRunService(rpc.server, {
      runId,
      status: () => this.#live.status(),
      isEnded: () => this.#live.isEnded(),
      stop: (checkpoint) => this.stop(checkpoint),
    });
    const address = `${listen.host}:${await rpc.listen(listen.host, listen.port)}`;
    rpc.setServing(true);
    this.#publishEndpoint(address);
    this.#live.event("coordinator.listening", `gRPC with mutual TLS on ${address}`, {
      pid: process.pid,
      generation,
    });
    for (const { kind, message } of notes) this.#live.event(kind, message);
    const { initialWeights } = engineJob;
    if (initialWeights !== undefined) {
      const message = `training starts from the weights in ${initialWeights.directory}`;
      this.#live.event("weights.given", message);
    }
    const agent = await this.#startAgent(authority, address, plan.worldSize);
    try {
      return await Promise.race([this.#generation.outcome, agentFailed(agent)]);
    } finally {
      this.#generation.dismiss();
      await agent.end(AGENT_END_MS);
      await reapRanks(this.#live.ranks.values());
    }
  }

  async #startAgent(authority: Identity, coordinator: string, numSlots: number) {
    const { directory, generation, python } = this.#options;
    const agent = await LocalAgent.start({
      ...{ authority, coordinator, python, numSlots, agentId: AGENT_ID },
      logPath: `${directory.logs(generation)}/agent.log`,
    });
    const message = `agent ${AGENT_ID} started as process ${agent.pid}`;
    this.#live.event("agent.started", message, { agent: AGENT_ID, pid: agent.pid });
    return agent;
  }

  #commit(shards: CheckpointShards, controller: ControllerState, sourceHash: string): void {
    const { ledger, runId, generation, engineJob, plan, keepCheckpoints } = this.#options;
    const { layout } = plan;
    if (!layout) throw new Error("the plan lacks its layout");
    ledger.commit({
      ...{ runId, generation, shards, layout, sourceHash, job: engineJob },
      step: Number(shards.step),
      controller: { ...controller },
      committedAt: new Date().toISOString(),
    });
    try {
      ledger.prune(keepCheckpoints);
    } catch (error) {
      // Old checkpoints that stay cost space, not the run.
      const message = `old checkpoints could not be removed: ${(error as Error).message}`;
      this.#live.event("checkpoint.not-pruned", message);
    }
  }

  async #conclude(decision: Decision, startedAt: number): Promise<SummaryRecord> {
    const outcomes = { succeed: "succeeded", stop: "stopped", fail: "failed" } as const;
    if (decision.decision === "continue") throw new Error("a run cannot end by going on");
    const status = outcomes[decision.decision];
    const { runId, name, generation } = this.#options;
    const summary = summaryRecord({
      ...{ runId, name, status, generation, reason: decision.reason },
      ...this.#live.figures,
      history: this.#recorder.history,
      wallSeconds: (performance.now() - startedAt) / 1000,
    });
    try {
      this.#live.setState(status, decision.reason);
      this.#recorder.summary(summary);
      await this.#live.stored;
      return summary;
    } catch (error) {
      if (!(error instanceof MoestroError)) throw error;
      throw new MoestroError(error.code, [decision.reason, ...error.lines]);
    }
  }

  /** Lets `moestro status` and `moestro stop` find this coordinator. */
  #publishEndpoint(address: string): void {
    const endpoint = { address, pid: process.pid, runId: this.#options.runId };
    writeAtomically(this.#options.directory.endpoint, `${JSON.stringify(endpoint)}\n`);
  }
}

/** Resolves if the agent ends by itself: then nobody tells of the ranks any more. */
async function agentFailed(agent: LocalAgent): Promise<Decision> {
  const how = await agent.ended;
  return { decision: "fail", reason: `the agent is gone: ${how}`, userError: false };
}
