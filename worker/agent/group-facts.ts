import { create } from "@bufbuild/protobuf";
import {
  type RankExited,
  type RankGroupState,
  RankGroupStateSchema,
  type RankIsReady,
  type RankStarted,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Rendezvous } from "../../proto/gen/moestro/v1/rank_pb.js";
import type { DataPrepared } from "../../proto/gen/moestro/v1/report_pb.js";
import type { AgentMessage } from "./coordinator-stream.ts";

/** Which start of which run. */
export type GroupFence = { readonly runId: string; readonly generation: bigint };

/** What came to pass in a group of ranks, for a coordinator that was not there. */
export class GroupFacts {
  readonly #started: RankStarted[] = [];
  readonly #ready: RankIsReady[] = [];
  readonly #exits: RankExited[] = [];
  #rendezvous: Rendezvous | undefined;
  #data: DataPrepared | undefined;

  note(message: AgentMessage): void {
    switch (message.case) {
      case "rankStarted":
        this.#started.push(message.value);
        break;
      case "rankReady":
        this.#ready.push(message.value);
        break;
      case "rankExited":
        this.#exits.push(message.value);
        break;
      case "rendezvous":
        this.#rendezvous = message.value;
        break;
      case "data":
        this.#data = message.value;
        break;
    }
  }

  /** `withExits`: false while reports are kept, which come first. */
  state(fence: GroupFence, ranks: readonly number[], withExits: boolean): RankGroupState {
    return create(RankGroupStateSchema, {
      fence,
      ranks: [...ranks],
      started: this.#started,
      ...(this.#rendezvous ? { rendezvous: this.#rendezvous } : {}),
      ...(this.#data ? { data: this.#data } : {}),
      ready: this.#ready,
      exits: withExits ? this.#exits : [],
    });
  }
}
