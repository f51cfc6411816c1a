import type { Placement } from "../cost/workload.ts";
import { type Fields, RowProblem, requiredCount } from "./fields.ts";

export const DENSE_COLUMNS = [
  "n_gpus",
  "tp",
  "pp",
  "dp",
  "micro_batch",
  "seq_len",
  "hidden",
  "heads",
  "layers",
];

/** The layout of a run without experts, in the columns that nanotron's and vTrain's files share. */
export function densePlacement(fields: Fields): Placement {
  const gpus = requiredCount(fields, "n_gpus");
  const tp = requiredCount(fields, "tp");
  const pp = requiredCount(fields, "pp");
  const dp = requiredCount(fields, "dp");
  if (tp * pp * dp !== gpus) {
    throw new RowProblem(`TP ${tp} x PP ${pp} x DP ${dp} is not ${gpus} GPUs`);
  }
  return {
    tensorParallel: tp,
    contextParallel: 1,
    pipelineParallel: pp,
    dataParallel: dp,
    expertParallel: 1,
    expertTensorParallel: 1,
    expertDataParallel: dp,
    virtualPipeline: 1,
    microBatchSize: requiredCount(fields, "micro_batch"),
  };
}
