import { type ControllerOptions, type ControllerState, fold } from "../controller/controller.ts";
import { restoreController } from "../controller/restore.ts";
import type { MetricsRecord } from "../report/records.ts";
import type { LineReader } from "./line-reader.ts";
import { firstLineBehind, type MetricsLine, parseMetrics } from "./metrics-lines.ts";

/** The first line at or behind each multiple of this holds the controller's state. */
const EVERY_STEPS = 250;

/**
 * The controller's state in the lines of metrics.jsonl: it depends on all steps since the
 * first, and whoever takes a run over must not have to go through them.
 */
export class ControllerMarks {
  readonly #law: ControllerOptions;
  readonly #state: ControllerState;
  readonly #checkpointEverySteps: number;

  /** `checkpointEverySteps`: the job's steps between checkpoints, 0 for none but the last. */
  constructor(law: ControllerOptions, state: ControllerState, checkpointEverySteps: number) {
    this.#law = law;
    this.#state = state;
    this.#checkpointEverySteps = checkpointEverySteps;
  }

  /** Whether a step is to have a checkpoint. */
  isDue(step: number): boolean {
    return this.#checkpointEverySteps > 0 && step % this.#checkpointEverySteps === 0;
  }

  /** The same behind one more line, and what that line is to hold. */
  behind(record: MetricsRecord): {
    controller: ControllerMarks;
    mark: Pick<MetricsLine, "controller">;
  } {
    const before = this.#state.lastStep;
    const state = [...statesBehind(this.#law, this.#state, record)].at(-1) ?? this.#state;
    const isMarked = Math.floor(state.lastStep / EVERY_STEPS) > Math.floor(before / EVERY_STEPS);
    return {
      controller: new ControllerMarks(this.#law, state, this.#checkpointEverySteps),
      mark: isMarked ? { controller: state } : {},
    };
  }
}

/** The states behind each step that a line stands for: of several, each is folded as their mean. */
export function* statesBehind(
  law: ControllerOptions,
  before: ControllerState,
  { step, layers }: Pick<MetricsRecord, "step" | "layers">,
): Generator<ControllerState> {
  let state = before;
  for (let next = state.lastStep + 1; next <= step; next += 1) {
    state = fold(law, state, next, layers);
    yield state;
  }
}

/** The newest state up to `step` that lines hold, or `first`, which lies before them. */
export function markedState(
  lines: LineReader,
  law: ControllerOptions,
  first: ControllerState,
  step: number,
): ControllerState {
  const numLayers = first.scheduled[0]?.values.length ?? 0;
  const newest = Math.floor(step / EVERY_STEPS) * EVERY_STEPS;
  for (let multiple = newest; multiple > first.lastStep; multiple -= EVERY_STEPS) {
    const line = firstLineBehind(lines, multiple - 1);
    const record = line && parseMetrics(line.text);
    if (!record?.controller || record.step > step) continue;
    try {
      return restoreController(law, record.controller, numLayers, record.step);
    } catch {
      // A damaged line; the one before it will do.
    }
  }
  return first;
}
