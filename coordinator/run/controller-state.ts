import {
  type ControllerOptions,
  type ControllerState,
  createController,
} from "../controller/controller.ts";
import { restoreController } from "../controller/restore.ts";
import { NUM_RECENT } from "./controller-history.ts";
import { markedState, statesBehind } from "./controller-marks.ts";
import { LineReader } from "./line-reader.ts";
import type { Manifest } from "./manifest.ts";
import { firstLineBehind, newestRecord, parseMetrics } from "./metrics-lines.ts";
import type { RunDirectory } from "./run-directory.ts";

/** The controller as it stands behind a checkpoint, or before the first step. */
export function controllerBehind(
  manifest: Pick<Manifest, "step" | "controller"> | undefined,
  law: ControllerOptions,
  numLayers: number,
): ControllerState {
  return manifest
    ? restoreController(law, manifest.controller, numLayers, manifest.step)
    : createController(law, numLayers);
}

/**
 * The controller as it stood behind records since the checkpoint, the newest last: the
 * recorded steps folded in, as the coordinator that wrote them had it. Those whose
 * checkpoints may still be on their way are told: of the last steps, and of the last that
 * was due, every `everySteps`. However long the run, some hundred lines are read, and all
 * only of one whose lines are of a version that put no states into them.
 */
export function controllersBehindRecords(
  directory: RunDirectory,
  manifest: Pick<Manifest, "step" | "controller"> | undefined,
  law: ControllerOptions,
  numLayers: number,
  everySteps: number,
): ControllerState[] {
  const first = controllerBehind(manifest, law, numLayers);
  const states = LineReader.read(directory.metrics, (lines) => {
    const lastStep = newestRecord(lines)?.record.step ?? 0;
    const recent = lastStep - NUM_RECENT;
    const due = everySteps > 0 ? lastStep - (lastStep % everySteps) : 0;
    const found: ControllerState[] = [];
    if (due <= recent) {
      for (const state of statesFrom(lines, law, first, due)) {
        if (state.lastStep < due) continue;
        found.push(state);
        break;
      }
    }
    for (const state of statesFrom(lines, law, first, recent)) {
      if (state.lastStep > recent) found.push(state);
    }
    return found.filter(({ lastStep }) => lastStep > first.lastStep);
  });
  return [first, ...(states ?? [])];
}

/** The states behind each step, from one at or before `step` on. */
function* statesFrom(
  lines: LineReader,
  law: ControllerOptions,
  first: ControllerState,
  step: number,
): Generator<ControllerState> {
  let state = markedState(lines, law, first, step);
  yield state;
  const line = firstLineBehind(lines, state.lastStep);
  for (const { text } of line ? lines.from(line.offset) : []) {
    const record = parseMetrics(text);
    if (!record) continue;
    for (state of statesBehind(law, state, record)) yield state;
  }
}
