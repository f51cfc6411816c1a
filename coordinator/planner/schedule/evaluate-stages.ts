import type { CompiledTable } from "./compiled-table.ts";
import type { RankChoice } from "./least-extra.ts";
import { RankChoices } from "./rank-choices.ts";
import { type PassDurations, runPasses } from "./run-passes.ts";
import type { ScheduleProblem } from "./schedule-problem.ts";
import { stageOf } from "./table.ts";
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
  readonly #stagesOfRank: number[][];
  readonly #choices: RankChoices;
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
    const { table, numStages } = compiled;
    this.#choices = new RankChoices(problem, table);
    this.#stagesOfRank = Array.from({ length: table.numRanks }, (_, rank) =>
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
      const choice = this.#choices.of(starts, stages, rank, given);
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

  #extraMs(from: number, options: readonly number[]): number {
    let extra = 0;
    for (const [index, option] of options.entries()) {
      extra += this.#problem.layers[from + index]?.options[option]?.extraBackwardMs ?? 0;
    }
    return extra;
  }
}
