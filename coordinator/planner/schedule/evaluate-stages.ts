import type { PartitionLayer, RecomputeOption } from "../partition/problem.ts";
import { optionsOfFirst } from "../partition/recompute-first.ts";
import type { CompiledTable } from "./compiled-table.ts";
import { type RankChoice, RecomputeLadders, rankMemoryBytes } from "./least-extra.ts";
import { type PassDurations, runPasses } from "./run-passes.ts";
import { memoryOfRank, type ScheduleProblem } from "./schedule-problem.ts";
import { inFlightVectors, stageOf } from "./table.ts";
import type { WorkSums } from "./work-sums.ts";

export interface Evaluation {
  missingBytes: number;
  simulatedMs: number;
  /** Of each rank. */
  choices: RankChoice[];
}

/** Evaluates splits of one problem: least recompute that fits rank by rank, then the simulator. */
export class StageEvaluator {
  readonly #problem: ScheduleProblem;
  readonly #compiled: CompiledTable;
  readonly #sums: WorkSums;
  readonly #vectors: number[][][];
  readonly #stagesOfRank: number[][];
  readonly #choices = new Map<string, RankChoice>();
  readonly #ladders: RecomputeLadders;
  readonly #alikeUntil: Int32Array;
  readonly #kinds: Int32Array;
  readonly #durations: PassDurations;
  readonly #rough: CompiledTable;
  numSimulations = 0;

  /** @param rough the schedule with fewer micro-batches, that `estimate` simulates */
  constructor(
    problem: ScheduleProblem,
    compiled: CompiledTable,
    sums: WorkSums,
    rough: CompiledTable = compiled,
  ) {
    this.#problem = problem;
    this.#compiled = compiled;
    this.#rough = rough;
    this.#sums = sums;
    this.#ladders = new RecomputeLadders(problem.layers);
    this.#kinds = kindsOf(problem.layers);
    this.#alikeUntil = runsOf(this.#kinds);
    const { table, numStages } = compiled;
    const ranks = Array.from({ length: table.numRanks }, (_, rank) => rank);
    this.#vectors = ranks.map((rank) => inFlightVectors(table, rank));
    this.#stagesOfRank = ranks.map((rank) =>
      Array.from({ length: table.chunksPerRank }, (_, chunk) => stageOf(table, rank, chunk)),
    );
    const zeros = () => new Float64Array(numStages);
    this.#durations = {
      forwardMs: zeros(),
      inputGradMs: zeros(),
      weightGradMs: zeros(),
      forwardCommunicationMs: zeros(),
      backwardCommunicationMs: zeros(),
    };
  }

  /**
   * `evaluate` in less time: a few micro-batches are simulated, and each further one
   * takes what the busiest rank works for it.
   */
  estimate(starts: readonly number[]): Evaluation {
    const { choices, missingBytes } = this.#load(starts);
    if (missingBytes > 0) return { missingBytes, simulatedMs: Number.POSITIVE_INFINITY, choices };
    const left = this.#compiled.table.numMicroBatches - this.#rough.table.numMicroBatches;
    const simulatedMs = this.#simulate(this.#rough) + left * this.#busiestMs();
    return { missingBytes, simulatedMs, choices };
  }

  /**
   * @param starts first layer of each stage, and the number of layers
   * @param given option of each layer; default: the least recompute that fits
   */
  evaluate(starts: readonly number[], given?: readonly number[]): Evaluation {
    const { choices, missingBytes } = this.#load(starts, given);
    const fits = missingBytes === 0;
    const simulatedMs = fits ? this.#simulate(this.#compiled) : Number.POSITIVE_INFINITY;
    return { missingBytes, simulatedMs, choices };
  }

  #simulate(compiled: CompiledTable): number {
    this.numSimulations++;
    const free = runPasses(compiled, this.#durations, this.#problem.p2pMs);
    return free.reduce((a, b) => Math.max(a, b), 0);
  }

  /** Computing of the rank with most of it, for one micro-batch. */
  #busiestMs(): number {
    const { forwardMs, inputGradMs, weightGradMs } = this.#durations;
    let busiest = 0;
    for (const stages of this.#stagesOfRank) {
      let ms = 0;
      for (const stage of stages) {
        ms += (forwardMs[stage] ?? 0) + (inputGradMs[stage] ?? 0) + (weightGradMs[stage] ?? 0);
      }
      busiest = Math.max(busiest, ms);
    }
    return busiest;
  }

  /** Sets the durations of the stages to those of a split. */
  #load(starts: readonly number[], given?: readonly number[]): Omit<Evaluation, "simulatedMs"> {
    const sums = this.#sums;
    const { forwardMs, inputGradMs, weightGradMs } = this.#durations;
    const { forwardCommunicationMs, backwardCommunicationMs } = this.#durations;
    let missingBytes = 0;
    const choices = this.#stagesOfRank.map((stages, rank) => {
      const choice = this.#choose(starts, stages, rank, given);
      missingBytes += choice.missingBytes;
      for (const [chunk, stage] of stages.entries()) {
        const from = starts[stage] as number;
        const to = starts[stage + 1] as number;
        const weightGrad = sums.weightGradMs(from, to);
        const sent = sums.forwardCommunicationMs(from, to);
        const sentBack = sums.backwardCommunicationMs(from, to);
        const extraMs = this.#extraMs(from, choice.options[chunk] ?? []);
        forwardMs[stage] = sums.forwardMs(from, to) - sent;
        forwardCommunicationMs[stage] = sent;
        weightGradMs[stage] = weightGrad;
        inputGradMs[stage] = sums.backwardMs(from, to) - weightGrad - sentBack + extraMs;
        backwardCommunicationMs[stage] = sentBack;
      }
      return choice;
    });
    return { missingBytes, choices };
  }

  #choose(
    starts: readonly number[],
    stages: readonly number[],
    rank: number,
    given?: readonly number[],
  ): RankChoice {
    const chunks = stages.map((stage) => ({
      from: starts[stage] as number,
      to: starts[stage + 1] as number,
    }));
    const limit = memoryOfRank(this.#problem, rank);
    const vectors = this.#vectors[rank] ?? [];
    const first = this.#problem.recomputeFirst;
    if (given || first !== undefined) {
      const options = chunks.map(({ from, to }) =>
        first === undefined
          ? (given ?? []).slice(from, to)
          : optionsOfFirst(this.#problem.layers.slice(from, to), first),
      );
      const memoryBytes = rankMemoryBytes(this.#problem.layers, chunks, options, vectors);
      return { options, memoryBytes, missingBytes: Math.max(0, memoryBytes - limit) };
    }
    // Layers that cost the same are treated the same, wherever they are.
    let key = `${rank}`;
    for (const { from, to } of chunks) {
      const isAlike = (this.#alikeUntil[from] as number) >= to;
      key += isAlike ? `,${this.#kinds[from]}*${to - from}` : `,${from}-${to}`;
    }
    let choice = this.#choices.get(key);
    if (!choice) {
      choice = this.#ladders.leastExtra(chunks, vectors, limit);
      this.#choices.set(key, choice);
    }
    return choice;
  }

  #extraMs(from: number, options: readonly number[]): number {
    let extra = 0;
    for (const [index, option] of options.entries()) {
      extra += this.#problem.layers[from + index]?.options[option]?.extraBackwardMs ?? 0;
    }
    return extra;
  }
}

/** A number for each layer, the same for layers that cost the same. */
function kindsOf(layers: readonly PartitionLayer[]): Int32Array {
  const examples: PartitionLayer[] = [];
  return Int32Array.from(layers, (layer) => {
    const known = examples.findIndex((example) => costsAlike(example, layer));
    return known >= 0 ? known : examples.push(layer) - 1;
  });
}

function costsAlike(a: PartitionLayer, b: PartitionLayer): boolean {
  return (
    a.forwardMs === b.forwardMs &&
    a.backwardMs === b.backwardMs &&
    a.staticBytes === b.staticBytes &&
    (a.options === b.options ||
      (a.options.length === b.options.length &&
        a.options.every((option, index) => isSameOption(option, b.options[index]))))
  );
}

function isSameOption(a: RecomputeOption, b: RecomputeOption | undefined): boolean {
  return (
    b !== undefined &&
    a.extraBackwardMs === b.extraBackwardMs &&
    a.activationBytes === b.activationBytes &&
    a.workspaceBytes === b.workspaceBytes
  );
}

/** For each layer, the first one behind it of another kind. */
function runsOf(kinds: Int32Array): Int32Array {
  const until = new Int32Array(kinds.length);
  for (let layer = kinds.length - 1; layer >= 0; layer--) {
    const isSame = layer + 1 < kinds.length && kinds[layer] === kinds[layer + 1];
    until[layer] = isSame ? (until[layer + 1] as number) : layer + 1;
  }
  return until;
}
