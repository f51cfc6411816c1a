import type { Evaluation } from "./evaluate-stages.ts";

/** First layer of each stage, and the number of layers, with what they come to. */
export interface EvaluatedStarts extends Evaluation {
  starts: number[];
}

/** Layers moved at random from a best split before the search goes on from there. */
const NUM_SHAKEN = 3;

/**
 * The best split that is found from some to begin with: single layers move between
 * stages as long as that helps; then, from the best so far with a few layers moved
 * at random, again. The same for the same splits: its chance is a fixed sequence.
 *
 * @param patience tries from a shaken split in a row that find nothing better
 * @param isSpent asked before every evaluation, with the best split so far
 */
export function searchSplits(
  begun: readonly number[][],
  evaluate: (starts: number[]) => Evaluation,
  patience: number,
  isSpent: (best: EvaluatedStarts) => boolean,
): EvaluatedStarts {
  const evaluated = (starts: number[]): EvaluatedStarts => ({ starts, ...evaluate(starts) });
  let best = begun.map(evaluated).reduce((a, b) => (isBetter(b, a) ? b : a));
  const next = chance();
  const climb = (from: EvaluatedStarts): void => {
    let here = from;
    for (let improved = true; improved; ) {
      improved = false;
      for (const starts of neighbours(here.starts)) {
        if (isSpent(best)) return;
        const other = evaluated(starts);
        if (!isBetter(other, here)) continue;
        here = other;
        if (isBetter(here, best)) best = here;
        improved = true;
        break;
      }
    }
  };
  climb(best);
  for (let failures = 0; failures < patience && !isSpent(best); ) {
    const shaken = shake(best.starts, next);
    // Where nothing can move there is one split alone.
    if (shaken === undefined) break;
    const before = best;
    climb(evaluated(shaken));
    failures = best === before ? failures + 1 : 0;
  }
  return best;
}

function isBetter(a: Evaluation, b: Evaluation): boolean {
  if (a.missingBytes !== b.missingBytes) return a.missingBytes < b.missingBytes;
  return a.simulatedMs < b.simulatedMs * (1 - 1e-9);
}

/** One layer less in one stage and one more in another, near pairs first. */
function* neighbours(starts: readonly number[]): Generator<number[]> {
  const numStages = starts.length - 1;
  for (let distance = 1; distance < numStages; distance++) {
    for (let low = 0; low + distance < numStages; low++) {
      yield* moved(starts, low, low + distance);
      yield* moved(starts, low + distance, low);
    }
  }
}

/** A layer from one stage to another, those between shifted; nothing where it is the donor's last. */
function* moved(starts: readonly number[], donor: number, receiver: number): Generator<number[]> {
  if ((starts[donor + 1] as number) - (starts[donor] as number) < 2) return;
  const [low, high] = donor < receiver ? [donor, receiver] : [receiver, donor];
  const move = donor < receiver ? -1 : 1;
  yield starts.map((start, stage) => (stage > low && stage <= high ? start + move : start));
}

function shake(starts: readonly number[], next: (below: number) => number): number[] | undefined {
  const numStages = starts.length - 1;
  let shaken: number[] | undefined;
  for (let moves = 0, tries = 0; moves < NUM_SHAKEN && tries < 20 * NUM_SHAKEN; tries++) {
    const [donor, receiver] = [next(numStages), next(numStages)];
    if (donor === receiver) continue;
    const [other] = moved(shaken ?? starts, donor, receiver);
    if (other === undefined) continue;
    shaken = other;
    moves++;
  }
  return shaken;
}

/** Numerical Recipes' linear congruential generator, from a fixed start. */
function chance(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
