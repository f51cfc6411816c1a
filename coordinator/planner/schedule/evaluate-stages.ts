import type { CompiledTable } from "./compiled-table.ts";
import { leastExtra, type RankChoice, rankMemoryBytes } from "./least-extra.ts";
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
  readonly #durations: PassDurations;
  numSimulations = 0;

  constructor(problem: ScheduleProblem, compiled: CompiledTable, sums: WorkSums) {
    this.#problem = problem;
    this.#compiled = compiled;
    this.#sums = sums;
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
   * @param starts first layer of each stage, and the number of layers
   * @param given option of each layer; default: the least recompute that fits
   */
  evaluate(starts: readonly number[], given?: readonly number[]): Evaluation {
    const sums = this.#sums;
    const { forwardMs, inputGradMs, weightGradMs } = this.#durations;
    let missingBytes = 0;
    const choices = this.#stagesOfRank.map((stages, rank) => {
      const choice = this.#choose(starts, stages, rank, given);
      missingBytes += choice.missingBytes;
      for (const [chunk, stage] of stages.entries()) {
        const from = starts[stage] as number;
        const to = starts[stage + 1] as number;
        const weightGrad = sums.weightGradMs(from, to);
        forwardMs[stage] = sums.forwardMs(from, to);
        weightGradMs[stage] = weightGrad;
        inputGradMs[stage] =
          sums.backwardMs(from, to) - weightGrad + this.#extraMs(from, choice.options[chunk] ?? []);
      }
      return choice;
    });
    if (missingBytes > 0) return { missingBytes, simulatedMs: Number.POSITIVE_INFINITY, choices };
    this.numSimulations++;
    const free = runPasses(this.#compiled, this.#durations, this.#problem.p2pMs);
    return { missingBytes, simulatedMs: free.reduce((a, b) => Math.max(a, b), 0), choices };
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
    if (given) {
      const options = chunks.map(({ from, to }) => given.slice(from, to));
      const memoryBytes = rankMemoryBytes(this.#problem.layers, chunks, options, vectors);
      return { options, memoryBytes, missingBytes: Math.max(0, memoryBytes - limit) };
    }
    const key = `${rank}:${chunks.map(({ from, to }) => `${from}-${to}`).join()}`;
    let choice = this.#choices.get(key);
    if (!choice) {
      choice = leastExtra(this.#problem.layers, chunks, vectors, limit);
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
