import { basename } from "node:path";
import { isMapping } from "./mapping.ts";

/** No rule between fields can fail because of these. */
const STEPS = 1_000_000_000;
const LEARNING_RATE = 1e-4;

/** The job with what planning does not depend on, where the person left it out. */
export function withPlanningStandIns(written: unknown, path: string): unknown {
  if (!isMapping(written)) return written;
  const { training } = written;
  return {
    name: nameFrom(path),
    data: { source: "python-standard-library" },
    ...written,
    ...(isMapping(training)
      ? {
          training: {
            steps: STEPS,
            learningRate: training.minLearningRate ?? LEARNING_RATE,
            ...training,
          },
        }
      : {}),
  };
}

/** The file's base name, as far as a run may be called so. */
function nameFrom(path: string): string {
  const name = basename(path)
    .replace(/\.[^.]*$/, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 50)
    .replace(/^-+|-+$/g, "");
  return name === "" ? "plan" : name;
}
