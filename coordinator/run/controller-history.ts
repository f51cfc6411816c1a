import type { ControllerState } from "../controller/controller.ts";

/** A checkpoint that was asked for is written within so many steps. */
export const NUM_RECENT = 500;

/**
 * The controller's states behind the steps whose checkpoints may still be on
 * their way. Ranks write beside training, so a checkpoint's report comes some
 * steps after its own, and what is committed with it is the state of its step.
 */
export class ControllerHistory {
  readonly #everySteps: number;
  /** Of steps that are to have a checkpoint, oldest first. */
  #due: ControllerState[] = [];
  /** The last ones: people ask for checkpoints of any step. */
  #recent: ControllerState[] = [];
  #newest: ControllerState;

  /** `everySteps`: the job's steps between checkpoints, 0 for none but the last. */
  constructor(first: ControllerState, everySteps: number) {
    this.#newest = first;
    this.#everySteps = everySteps;
  }

  get newest(): ControllerState {
    return this.#newest;
  }

  /** The state behind one more step. */
  add(state: ControllerState): void {
    this.#newest = state;
    if (this.#everySteps > 0 && state.lastStep % this.#everySteps === 0) this.#due.push(state);
    this.#recent.push(state);
    if (this.#recent.length > NUM_RECENT) this.#recent.shift();
  }

  /** The state behind a step that has a checkpoint; those before it are forgotten. */
  take(step: number): ControllerState | undefined {
    const isLeft = ({ lastStep }: ControllerState) => lastStep >= step;
    this.#due = this.#due.filter(isLeft);
    this.#recent = this.#recent.filter(isLeft);
    const state = [...this.#due, ...this.#recent, this.#newest].find(
      ({ lastStep }) => lastStep === step,
    );
    return state;
  }
}
