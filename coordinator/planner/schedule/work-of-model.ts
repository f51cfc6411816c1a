/** Time of one micro-batch by kind of work. */
interface Work {
  forwardMs: number;
  /** With recompute. */
  inputGradMs: number;
  weightGradMs: number;
}

/** Time of all layers together and of the quickest single one, by kind of work. */
export interface WorkOfModel extends Work {
  leastForwardMs: number;
  leastInputGradMs: number;
  leastWeightGradMs: number;
}

/** Of no layers yet. */
export function noWork(): WorkOfModel {
  return {
    forwardMs: 0,
    inputGradMs: 0,
    weightGradMs: 0,
    leastForwardMs: Number.POSITIVE_INFINITY,
    leastInputGradMs: Number.POSITIVE_INFINITY,
    leastWeightGradMs: Number.POSITIVE_INFINITY,
  };
}

/** Adds `count` layers of equal cost. */
export function addLayers(work: WorkOfModel, layer: Work, count = 1): void {
  work.forwardMs += count * layer.forwardMs;
  work.inputGradMs += count * layer.inputGradMs;
  work.weightGradMs += count * layer.weightGradMs;
  work.leastForwardMs = Math.min(work.leastForwardMs, layer.forwardMs);
  work.leastInputGradMs = Math.min(work.leastInputGradMs, layer.inputGradMs);
  work.leastWeightGradMs = Math.min(work.leastWeightGradMs, layer.weightGradMs);
}
