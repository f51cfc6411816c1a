import { optionsOfFirst } from "../partition/recompute-first.ts";
import { endsOfRuns, layerKinds } from "./layer-kinds.ts";
import { type RankChoice, RecomputeLadders, rankMemoryBytes } from "./least-extra.ts";
import { memoryOfRank, type ScheduleProblem } from "./schedule-problem.ts";
import { inFlightVectors, type ScheduleTable } from "./table.ts";

/** What each rank recomputes under the splits of one problem: the least that fits, remembered. */
export class RankChoices {
  readonly #problem: ScheduleProblem;
  /** Of each rank. */
  readonly #vectors: number[][][];
  readonly #known = new Map<string, RankChoice>();
  readonly #ladders: RecomputeLadders;
  readonly #kinds: Int32Array;
  readonly #alikeUntil: Int32Array;

  constructor(problem: ScheduleProblem, table: ScheduleTable) {
    this.#problem = problem;
    this.#ladders = new RecomputeLadders(problem.layers);
    this.#kinds = layerKinds(problem.layers);
    this.#alikeUntil = endsOfRuns(this.#kinds);
    this.#vectors = Array.from({ length: table.numRanks }, (_, rank) =>
      inFlightVectors(table, rank),
    );
  }

  /**
   * @param starts first layer of each stage, and the number of layers
   * @param stages of the rank, by chunk
   * @param given option of each layer; default: the least recompute that fits
   */
  of(
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
    let choice = this.#known.get(key);
    if (!choice) {
      choice = this.#ladders.leastExtra(chunks, vectors, limit);
      this.#known.set(key, choice);
    }
    return choice;
  }
}
