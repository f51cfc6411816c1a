import { createHash } from "node:crypto";
import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type EngineJob, EngineJobSchema } from "../../proto/gen/moestro/v1/job_pb.js";
import { type Layout, LayoutSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import {
  type CheckpointShards,
  CheckpointShardsSchema,
} from "../../proto/gen/moestro/v1/report_pb.js";
import { MoestroError } from "../errors.ts";

const FORMAT_VERSION = 1;

/** A checkpoint is not what was committed; the one before it may be. */
export class DamageError extends Error {}

/** Everything a run continues from, beside the shards themselves. */
export type Manifest = {
  runId: string;
  generation: number;
  step: number;
  /** Files with sizes and checksums, and the position in the data. */
  shards: CheckpointShards;
  layout: Layout;
  /** The job the checkpoint was trained by. */
  job: EngineJob;
  /** Hash of the text it was trained on. */
  sourceHash: string;
  /** The controller's own state, as it serialises it. */
  controller: JsonValue;
  committedAt: string;
};

export function encodeManifest(manifest: Manifest): string {
  const json = {
    formatVersion: FORMAT_VERSION,
    ...manifest,
    shards: toJson(CheckpointShardsSchema, manifest.shards),
    layout: toJson(LayoutSchema, manifest.layout),
    job: toJson(EngineJobSchema, manifest.job),
  };
  return `${JSON.stringify({ ...json, checksum: checksumOf(json) }, null, 1)}\n`;
}

/** Of everything in a manifest but the checksum itself. */
function checksumOf(json: object): string {
  return createHash("sha256").update(JSON.stringify(json)).digest("hex");
}

/** Throws DamageError if the text is no manifest, MoestroError if another version wrote it. */
export function decodeManifest(text: string, directory: string): Manifest {
  const { checksum, ...json } = parse(text);
  // First, for damage may look like another version. Manifests from before there was a checksum lack it.
  if (checksum !== undefined && checksum !== checksumOf(json)) {
    throw new DamageError("its manifest is damaged: its checksum is not its own");
  }
  if (json.formatVersion !== FORMAT_VERSION) {
    throw new MoestroError(
      "environment",
      `${directory}: its manifest has format ${json.formatVersion}, this version of moestro reads ${FORMAT_VERSION}; resume with the version that wrote it`,
    );
  }
  const part = (name: string): JsonValue => {
    const value = json[name];
    if (value === undefined) throw new DamageError(`its manifest lacks ${name}`);
    return value;
  };
  try {
    return {
      runId: String(part("runId")),
      generation: Number(part("generation")),
      step: Number(part("step")),
      shards: fromJson(CheckpointShardsSchema, part("shards")),
      layout: fromJson(LayoutSchema, part("layout")),
      job: fromJson(EngineJobSchema, part("job")),
      sourceHash: String(part("sourceHash")),
      controller: part("controller"),
      committedAt: String(part("committedAt")),
    };
  } catch (error) {
    throw new DamageError((error as Error).message);
  }
}

function parse(text: string): JsonObject {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json))
      return json as JsonObject;
  } catch {}
  throw new DamageError("its manifest is not JSON");
}
