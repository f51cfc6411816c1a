import { create } from "@bufbuild/protobuf";
import type { Plan } from "../../../proto/gen/moestro/v1/plan_pb.js";
import {
  type AgentToRank,
  type RankAssignment,
  RankReadySchema,
  type RankToAgent,
  RendezvousSchema,
} from "../../../proto/gen/moestro/v1/rank_pb.js";
import {
  type LayerReport,
  LayerReportSchema,
  type StageReport,
  StageReportSchema,
  StepReportSchema,
} from "../../../proto/gen/moestro/v1/report_pb.js";
import type { RankExit, RankHandle } from "../../../worker/agent/rank-process.ts";
import { NUM_EXPERTS } from "./job.ts";

/** Tokens of a rank in a step, and experts each goes to: what the counts add up to. */
const TOKENS = 4096;
const TOP_K = 2;
/** Random in no way; above any process's, so that nobody ever signals one. */
const FIRST_PID = 100_000_000;
let numStarted = 0;

/** What a rank's process is heard and told through. */
export type RankEvents = {
  ready(rank: SimulatedRank): void;
  coefficients(rank: SimulatedRank, effectiveStep: number): void;
  /** It was told to end, or died. */
  ended(rank: SimulatedRank): void;
};

/**
 * What stands for a rank's process, the one thing in the measurement that is not real:
 * it is there at once, meets the others as they do, by way of rank 0's address, and
 * reports a step whenever it is told to. What it reports has the engine's form.
 */
export class SimulatedRank implements RankHandle {
  readonly pid: number;
  readonly logPath: string;
  readonly started: Promise<number>;
  readonly ended: Promise<RankExit>;
  readonly link: RankHandle["link"];
  rank = -1;
  generation = 0;
  /** The step it makes next. */
  nextStep = 1;
  readonly #events: RankEvents;
  #resolve: (exit: RankExit) => void = () => {};
  #listener: (message: RankToAgent["message"]) => void = () => {};
  #isRunning = true;
  #isReady = false;
  #layers: LayerReport[] = [];
  #stages: StageReport[] = [];

  constructor(logPath: string, events: RankEvents) {
    numStarted += 1;
    this.pid = FIRST_PID + numStarted;
    this.started = Promise.resolve(this.pid);
    this.logPath = logPath;
    this.#events = events;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.link = {
      isConnected: true,
      drained: async () => {},
      listen: (listener) => {
        this.#listener = listener;
      },
      send: (message) => this.#told(message),
    };
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Stands in its group and has not ended. */
  get isTraining(): boolean {
    return this.#isRunning && this.#isReady;
  }

  assign({ rank, generation, plan, restore }: RankAssignment): void {
    this.rank = rank;
    this.generation = Number(generation);
    this.nextStep = Number(restore?.step ?? 0n) + 1;
    if (plan) this.#prepare(plan);
    if (rank !== 0) return;
    // As a process would, later than it is told.
    setImmediate(() => {
      const value = create(RendezvousSchema, { host: "127.0.0.1", port: 29_500 });
      this.#listener({ case: "rendezvous", value });
      this.#stand();
    });
  }

  /** Makes one step and reports it. */
  step(): void {
    const step = BigInt(this.nextStep);
    this.nextStep += 1;
    const value = create(StepReportSchema, {
      ...{ step, numRanks: 1, lossSum: 2.5 * TOKENS, lossTokens: BigInt(TOKENS) },
      ...{ gradientNorm: 1, learningRate: 0.001, stepMs: 1000 },
      ...{ layers: this.#layers, stages: this.#stages },
    });
    this.#listener({ case: "step", value });
  }

  signal(): void {}

  kill(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#events.ended(this);
    this.#resolve({ exitCode: undefined, signal: "SIGKILL", logTail: [] });
  }

  #told(message: AgentToRank["message"]): void {
    if (message.case === "rendezvous") this.#stand();
    else if (message.case === "coefficients") {
      this.#events.coefficients(this, Number(message.value.effectiveStep));
    }
  }

  #stand(): void {
    if (this.#isReady || !this.#isRunning) return;
    this.#isReady = true;
    const value = create(RankReadySchema, { nextStep: BigInt(this.nextStep) });
    this.#listener({ case: "ready", value });
    this.#events.ready(this);
  }

  /** The layers of this rank's stages, with what it measures of each. */
  #prepare({ stages, layout, worldSize }: Plan): void {
    const { pipelineParallel = 1 } = layout ?? {};
    const own = Math.floor(this.rank / (worldSize / pipelineParallel));
    const mine = stages.filter(({ pipelineRank }) => pipelineRank === own);
    this.#stages = mine.map(({ index }) =>
      create(StageReportSchema, {
        ...{ stage: index, numRanks: 1, computeMs: 700, leastComputeMs: 700 },
        ...{ communicationMs: 200, peakMemoryBytes: 60_000_000_000n, slowestRank: this.rank },
      }),
    );
    this.#layers = mine.flatMap(({ firstLayer, numLayers }) =>
      Array.from({ length: numLayers }, (_, index) => layerReport(firstLayer + index, this.rank)),
    );
  }
}

/** Uneven loads, and with them drops. */
function layerReport(layer: number, rank: number): LayerReport {
  const even = (TOKENS * TOP_K) / NUM_EXPERTS;
  const routed = Array.from(
    { length: NUM_EXPERTS },
    (_, expert) => even + ((layer * 31 + expert * 17 + rank * 7) % even) - even / 2,
  );
  const dropped = routed.map((count) => Math.max(0, count - even));
  return create(LayerReportSchema, {
    ...{ layer, auxLossSum: 1.02, auxLossCount: 1, auxCoefficient: 0.01 },
    ...{ routed, dropped },
  });
}
