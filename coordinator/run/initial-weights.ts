import { create } from "@bufbuild/protobuf";
import { type InitialWeights, InitialWeightsSchema } from "../../proto/gen/moestro/v1/job_pb.js";
import { MoestroError } from "../errors.ts";
import { type CommittedCheckpoint, readCheckpoint } from "./ledger.ts";
import { DamageError } from "./manifest.ts";

/**
 * The weights of a checkpoint, every file checked, as the engine takes them.
 *
 * @throws MoestroError `invalid_input`, one line, if a file is missing or damaged
 */
export async function initialWeights(directory: string): Promise<InitialWeights> {
  try {
    return weightsOf(await readCheckpoint(directory));
  } catch (error) {
    if (!(error instanceof DamageError)) throw error;
    throw new MoestroError(
      "invalid_input",
      `${directory}: ${error.message}; make it anew, or use another checkpoint`,
    );
  }
}

function weightsOf({ directory, manifest }: CommittedCheckpoint): InitialWeights {
  const files = manifest.shards.files.map(({ name }) => name);
  return create(InitialWeightsSchema, { directory, files });
}
