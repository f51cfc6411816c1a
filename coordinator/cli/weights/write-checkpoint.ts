import { create, fromJsonString } from "@bufbuild/protobuf";
import { EngineJobSchema } from "../../../proto/gen/moestro/v1/job_pb.js";
import { LayoutSchema, Scheme } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { CheckpointShardsSchema } from "../../../proto/gen/moestro/v1/report_pb.js";
import { commitCheckpoint } from "../../run/ledger.ts";
import { compileModel } from "../../spec/compile-job.ts";
import type { WeightsModel } from "../../spec/hugging-face-weights.ts";
import { convertWeights } from "./convert.ts";
import { makeFolder } from "./new-folder.ts";

/** What the engine is asked to make a checkpoint from. */
export type Conversion = {
  kind: "import" | "upcycle";
  /** Folder with the weights. */
  source: string;
  weights: WeightsModel;
  out: string;
  /** Further arguments of the engine. */
  args?: readonly string[];
};

/** Written on one rank, where nothing is cut. */
const WHOLE = create(LayoutSchema, {
  scheme: Scheme.EDP,
  ...{ tensorParallel: 1, contextParallel: 1, pipelineParallel: 1, virtualPipeline: 1 },
  ...{ dataParallel: 1, expertParallel: 1, expertTensorParallel: 1, expertDataParallel: 1 },
});

/**
 * Writes a folder's weights as a checkpoint of step 0, which any run may start from.
 * Returns its size.
 */
export function writeCheckpoint(conversion: Conversion): Promise<{ bytes: number; files: number }> {
  const { kind, source, weights, out, args = [] } = conversion;
  const job = create(EngineJobSchema, {
    ...compileModel(weights),
    training: { sequenceLength: weights.maxPositions },
  });
  return makeFolder(out, async (folder) => {
    const printed = await convertWeights([kind, "--source", source, "--out", folder, ...args], job);
    const shards = fromJsonString(CheckpointShardsSchema, printed);
    commitCheckpoint(folder, {
      ...{ runId: kind, generation: 0, step: 0, shards, layout: WHOLE, job },
      ...{ sourceHash: "", controller: null, committedAt: new Date().toISOString() },
    });
    const bytes = shards.files.reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0);
    return { bytes, files: shards.files.length };
  });
}
