import {
  type ControllerOptions,
  type ControllerState,
  createController,
  fold,
} from "../controller/controller.ts";
import { restoreController } from "../controller/restore.ts";
import { LineReader } from "./line-reader.ts";
import type { Manifest } from "./manifest.ts";
import { firstLineBehind, parseMetrics } from "./metrics-lines.ts";
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
 * The controller as it stood behind each of the records since the checkpoint, the newest
 * last: every recorded step folded in, as the coordinator that wrote them had it. A
 * checkpoint of any of these steps may still be on its way.
 */
export function controllersBehindRecords(
  directory: RunDirectory,
  manifest: Pick<Manifest, "step" | "controller"> | undefined,
  law: ControllerOptions,
  numLayers: number,
): ControllerState[] {
  let state = controllerBehind(manifest, law, numLayers);
  const states = [state];
  LineReader.read(directory.metrics, (lines) => {
    const first = firstLineBehind(lines, state.lastStep);
    for (const { text } of first ? lines.from(first.offset) : []) {
      const { step = 0, layers = [] } = parseMetrics(text) ?? {};
      for (let next = state.lastStep + 1; next <= step; next += 1) {
        state = fold(law, state, next, layers);
        states.push(state);
      }
    }
  });
  return states;
}
