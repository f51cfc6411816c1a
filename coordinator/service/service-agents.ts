import { create } from "@bufbuild/protobuf";
import {
  AgentState,
  type AgentStatus,
  AgentStatusSchema,
} from "../../proto/gen/moestro/v1/fleet_pb.js";
import { MoestroError } from "../errors.ts";
import type { Fleet, Member } from "../fleet/fleet.ts";
import type { Agents } from "../rpc/fleet-service.ts";
import type { Store } from "../store/store.ts";
import type { Dispatcher } from "./dispatcher.ts";

const STATES = {
  present: AgentState.CONNECTED,
  silent: AgentState.SILENT,
  lost: AgentState.LOST,
} as const;

export type ServiceAgentsOptions = {
  store: Store;
  fleet: Fleet;
  /** The dispatcher while this coordinator leads. */
  dispatcher(): Dispatcher | undefined;
  /** Who leads, as far as known. */
  notLeading(): MoestroError;
};

/** The agents, as the leader has them: they speak to nobody else. */
export class ServiceAgents implements Agents {
  readonly #options: ServiceAgentsOptions;

  constructor(options: ServiceAgentsOptions) {
    this.#options = options;
  }

  async list(): Promise<AgentStatus[]> {
    const dispatcher = this.#leading();
    return this.#options.fleet
      .members()
      .map((member) => statusOf(member, dispatcher))
      .sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
  }

  async drain(agentId: string, drained: boolean): Promise<void> {
    const dispatcher = this.#leading();
    if (drained && !this.#options.fleet.member(agentId)) {
      throw new MoestroError("not_found", `there is no agent ${agentId}; moestro agents shows all`);
    }
    await this.#options.store.setDrained(agentId, drained);
    await dispatcher.setDrained();
  }

  #leading(): Dispatcher {
    const dispatcher = this.#options.dispatcher();
    if (!dispatcher) throw this.#options.notLeading();
    return dispatcher;
  }
}

function statusOf(
  { agentId, hello, runId, verdict, leaving, silentMs }: Member,
  dispatcher: Dispatcher,
): AgentStatus {
  const runs = dispatcher.runsOn(agentId);
  return create(AgentStatusSchema, {
    ...{ agentId, state: STATES[verdict.verdict] },
    reason: verdict.verdict !== "present" ? verdict.reason : leaving ? `leaves: ${leaving}` : "",
    host: hello?.host ?? "",
    address: hello?.address ?? "",
    numSlots: hello?.numSlots ?? 0,
    numUsedSlots: runs.reduce((sum, { numSlots }) => sum + numSlots, 0),
    drained: dispatcher.isDrained(agentId),
    ...(hello?.inventory ? { inventory: hello.inventory } : {}),
    heardAtMs: BigInt(Date.now() - Math.round(silentMs)),
    runIds: runs.map((run) => run.runId),
    runId: runId ?? "",
  });
}
