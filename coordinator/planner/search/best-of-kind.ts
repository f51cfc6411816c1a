import { schemeOf } from "../layout/sizes.ts";
import type { Solved } from "./solve-candidate.ts";

/** The fastest of all, and of each kind: scheme, schedule, pipeline and tensor parallelism. */
export class BestOfKind {
  readonly #byKind = new Map<string, Solved>();
  #best: Solved | undefined;

  get best(): Solved | undefined {
    return this.#best;
  }

  keep(solved: Solved): void {
    const kind = kindOf(solved);
    const known = this.#byKind.get(kind);
    if (known === undefined || solved.stepTimeMs < known.stepTimeMs) this.#byKind.set(kind, solved);
    if (this.#best === undefined || solved.stepTimeMs < this.#best.stepTimeMs) this.#best = solved;
  }

  /** The best of every other kind, fastest first. */
  others(): Solved[] {
    return [...this.#byKind.values()]
      .filter((solved) => solved !== this.#best)
      .sort((a, b) => a.stepTimeMs - b.stepTimeMs);
  }
}

function kindOf({ candidate: { placement }, schedule }: Solved): string {
  const { pipelineParallel, tensorParallel } = placement;
  return [schemeOf(placement), schedule, pipelineParallel, tensorParallel].join(" ");
}
