import type { ControllerState } from "../controller/controller.ts";

/**
 * The controller's states behind the steps whose checkpoints may still be on
 * their way. Ranks write beside training, so a checkpoint's report comes some
 * steps after its own, and what is committed with it is the state of its step.
 */
export class ControllerHistory {
  readonly #everySteps: number;
  /** Of steps with a checkpoint, oldest first. */
  #due: ControllerState[] = [];
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
  }

  /** The state behind a step that has a checkpoint; those before it are forgotten. */
  take(step: number): ControllerState {
    this.#due = this.#due.filter(({ lastStep }) => lastStep >= step);
    // Beside those due there is one checkpoint, the last step's, after which no step comes.
    const state = [...this.#due, this.#newest].find(({ lastStep }) => lastStep === step);
    if (!state) throw new Error(`the controller's state behind step ${step} is not known`);
    return state;
  }
}
