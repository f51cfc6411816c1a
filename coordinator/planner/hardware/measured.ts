import { z } from "zod";

const ms = z.number().min(0);
const count = z.int().min(1);
const curve = z.array(z.tuple([z.number().gt(0), ms]));

/**
 * Where a time was measured: `busyRanks` ranks at work at once, in groups of
 * `tensorParallel` (which are the expert-parallel groups too).
 */
const place = {
  tensorParallel: count,
  microBatchSize: count,
  sequenceLength: count,
  busyRanks: count,
};

/** Milliseconds of one micro-batch. `chunk` is what a stage costs besides its parts. */
const layerTime = z.strictObject({
  kind: z.enum(["moe", "embedding", "head", "chunk"]),
  ...place,
  forwardMs: ms,
  backwardMs: ms,
  /** What full recompute adds to backward. */
  recomputeFullMs: ms,
});

/** What a step costs behind its micro-batches, per step and for each layer on the rank. */
const stepTime = z.strictObject({
  ...place,
  dataParallel: count,
  /** Zeroing and reducing gradients, the exchange of the world, clipping, the update. */
  tailMs: ms,
  tailMsPerLayer: ms,
  /** Waiting for the slowest of ranks that share cores, when nothing else makes them wait. */
  skewMs: ms,
  skewMsPerLayer: ms,
});

/** What a message from stage to stage costs while all ranks work, waking the receiver included. */
const hopTime = z.strictObject({
  ...place,
  dataParallel: count,
  pipelineParallel: count,
  hopMs: ms,
});

/** What `moestro probe` found, on top of the cluster's own figures. */
export const measuredSchema = z.strictObject({
  /** Hash of the sizes that the times hold for. */
  modelFingerprint: z.string(),
  ranks: count,
  layers: z.array(layerTime),
  steps: z.array(stepTime),
  hops: z.array(hopTime),
  optimizerMsPerMillionParameters: ms,
  /** Least cost of a step that has no layers. */
  stepOverheadMs: ms,
  /** Bytes and milliseconds: an all-reduce over all ranks, a message from stage to stage. */
  allReduceMs: curve,
  messageMs: curve,
  /** Bytes of one sequence's activations between stages, over all ranks of a stage. */
  activationBytesPerSequence: z.number().gt(0),
});

export type Measured = z.infer<typeof measuredSchema>;
export type LayerTime = Measured["layers"][number];
export type StepTime = Measured["steps"][number];
