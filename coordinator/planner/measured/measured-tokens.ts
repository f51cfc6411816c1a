import type { Workload } from "../cost/workload.ts";
import { countModelParameters } from "../model/count-parameters.ts";
import type { ModelShape } from "../model/model-shape.ts";
import { type Fields, numberOf, RowProblem } from "./fields.ts";

/**
 * Tokens a second a GPU of a row: as published; else from the step time; else
 * from TFLOP/s or MFU, by NVIDIA's convention (6 an active parameter with the
 * full logits, attention not causal), MFU of the bf16 peak.
 */
export function measuredTokens(fields: Fields, workload: Workload, gpus: number): number {
  const direct = numberOf(fields, "tok_s_gpu");
  if (direct !== undefined) return direct;
  const step = numberOf(fields, "step_s");
  if (step !== undefined) return (workload.globalBatchSize * workload.sequenceLength) / gpus / step;
  const flops = nvidiaFlopsPerToken(workload.model, workload.sequenceLength);
  const tflops = numberOf(fields, "tflops");
  if (tflops !== undefined) return (tflops * 1e12) / flops;
  const mfu = numberOf(fields, "mfu");
  if (mfu === undefined)
    throw new RowProblem("nothing was measured: tok_s_gpu, step_s, tflops and mfu are empty");
  const peak = workload.cluster.accelerator.peakFlops.bf16 ?? 0;
  return ((mfu / 100) * peak) / flops;
}

/** Training FLOPs of a token as Megatron-Core prints them. */
function nvidiaFlopsPerToken(model: ModelShape, sequenceLength: number): number {
  const { attention, layers } = model;
  const width =
    attention.kind === "gqa"
      ? 2 * attention.headDim
      : attention.qkNopeHeadDim + attention.qkRopeHeadDim + attention.vHeadDim;
  const scores = 6 * layers.length * attention.heads * width * sequenceLength;
  return 6 * countModelParameters(model).activeWithoutEmbedding + scores;
}
