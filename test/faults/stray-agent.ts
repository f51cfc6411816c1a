import { create } from "@bufbuild/protobuf";
import { loadAuthority } from "../../coordinator/rpc/authority.ts";
import { issue } from "../../coordinator/rpc/certificates.ts";
import {
  AgentHelloSchema,
  FenceSchema,
  RankExitedSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { StepReportSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import { CoordinatorStream } from "../../worker/agent/coordinator-stream.ts";
import type { Cluster } from "./cluster.ts";
import { until } from "./patience.ts";

const ID = "stray";
const NO_RUN = create(FenceSchema);

/** An agent with a good certificate that has no ranks and says it has. */
export class StrayAgent {
  readonly #cluster: Cluster;
  readonly #stream: CoordinatorStream;
  #epoch = 0n;

  private constructor(
    cluster: Cluster,
    stream: (taught: (epoch: bigint) => void) => CoordinatorStream,
  ) {
    this.#cluster = cluster;
    this.#stream = stream((epoch) => {
      this.#epoch = epoch;
    });
  }

  static async connect(cluster: Cluster): Promise<StrayAgent> {
    const [name = "a"] = cluster.running;
    const now = new Date();
    const authority = await loadAuthority(cluster.place.home, now);
    const wanted = { name: `agent:${ID}`, role: "agent", hosts: [] } as const;
    const tls = { ...(await issue(authority, wanted, now)), authority: authority.certificate };
    const stray = new StrayAgent(
      cluster,
      (taught) =>
        new CoordinatorStream(cluster.address(name), tls, {
          message: (_, { coordinatorEpoch }) => taught(coordinatorEpoch),
          writable: () => {},
          ended: () => {},
        }),
    );
    const hello = create(AgentHelloSchema, { agentId: ID, incarnation: "only", numSlots: 0 });
    stray.#stream.send({ case: "hello", value: hello }, NO_RUN);
    await until("a coordinator that takes the stray agent in", async () => {
      const agents = await cluster.list();
      return agents.some(({ agentId }) => agentId === ID);
    });
    return stray;
  }

  /** Says that a step was made in that generation, and that a rank of it has died. */
  report({ runId, generation, step }: { runId: string; generation: bigint; step: bigint }): void {
    const fence = create(FenceSchema, { runId, generation, coordinatorEpoch: this.#epoch });
    this.#stream.send({ case: "step", value: create(StepReportSchema, { step }) }, fence);
    const exit = create(RankExitedSchema, { rank: 0, signal: "SIGKILL" });
    this.#stream.send({ case: "rankExited", value: exit }, fence);
  }

  /** Waits until so many of its reports were refused. */
  async refused(count: number): Promise<void> {
    await until(`${count} refusals of stale messages`, () => {
      const [name = "a"] = this.#cluster.running;
      const lines = this.#cluster.log(name).split("\n");
      const told = `a stale message (rankExited) of agent ${ID} was refused`;
      return lines.filter((line) => line.includes(told)).length >= count;
    });
  }

  async close(): Promise<void> {
    await this.#stream.finish();
  }
}
