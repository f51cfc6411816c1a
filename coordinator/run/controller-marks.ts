import { type ControllerOptions, type ControllerState, fold } from "../controller/controller.ts";
import { restoreController } from "../controller/restore.ts";
import type { MetricsRecord } from "../report/records.ts";
import type { LineReader } from "./line-reader.ts";
import { firstLineBehind, parseMetrics } from "./metrics-lines.ts";

/**
 * The first line at or behind each multiple of this holds the controller's state: it depends on
 * all steps since the first, and whoever takes a run over must not have to go through them.
 */
const EVERY_STEPS = 250;

/** Whether the line that comes behind that of step `before` holds the controller's state. */
export function holdsState(before: number, step: number): boolean {
  return Math.floor(step / EVERY_STEPS) > Math.floor(before / EVERY_STEPS);
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
