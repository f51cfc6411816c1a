import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fromJson, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  type ModelConfig,
  ModelConfigSchema,
  type MoeConfig,
  MoeConfigSchema,
} from "../../proto/gen/moestro/v1/job_pb.js";
import { type Layout, LayoutSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import {
  type CheckpointShards,
  CheckpointShardsSchema,
} from "../../proto/gen/moestro/v1/report_pb.js";
import { writeAtomically } from "./files.ts";

const MANIFEST = "manifest.json";
const FORMAT_VERSION = 1;

/** Everything a run continues from, beside the shards themselves. */
export type Manifest = {
  runId: string;
  generation: number;
  step: number;
  /** Files with sizes and checksums, and the position in the data. */
  shards: CheckpointShards;
  layout: Layout;
  model: ModelConfig;
  moe: MoeConfig;
  /** The controller's own state, as it serialises it. */
  controller: JsonValue;
  committedAt: string;
};

export type CommittedCheckpoint = { directory: string; manifest: Manifest };

/**
 * The checkpoints of one run. A checkpoint counts once its manifest is there;
 * the manifest is written last, atomically, after every shard was closed.
 */
export class CheckpointLedger {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  folder(step: number): string {
    return join(this.#directory, `step-${String(step).padStart(8, "0")}`);
  }

  commit(manifest: Manifest): CommittedCheckpoint {
    const directory = this.folder(manifest.step);
    writeAtomically(join(directory, MANIFEST), `${JSON.stringify(encode(manifest), null, 1)}\n`);
    return { directory, manifest };
  }

  /**
   * The newest checkpoint whose files are all there and unharmed. For each
   * newer one that is not, `damaged` is told the folder and what is wrong.
   */
  async newest(
    damaged: (directory: string, why: string) => void,
  ): Promise<CommittedCheckpoint | undefined> {
    for (const directory of this.#committed()) {
      try {
        const manifest = decode(JSON.parse(readFileSync(join(directory, MANIFEST), "utf8")));
        for (const file of manifest.shards.files) await verify(directory, file);
        return { directory, manifest };
      } catch (error) {
        damaged(directory, (error as Error).message);
      }
    }
    return undefined;
  }

  /** Removes all committed checkpoints but the newest `keep`, and uncommitted ones before those. */
  prune(keep: number): void {
    const kept = this.#committed().slice(0, keep);
    const oldest = kept.at(-1);
    if (oldest === undefined) return;
    for (const directory of this.#folders())
      if (directory < oldest) rmSync(directory, { recursive: true });
  }

  /** Removes what ranks wrote after `step`: it will be written again. */
  removeAfter(step: number): void {
    for (const directory of this.#folders()) {
      if (directory > this.folder(step)) rmSync(directory, { recursive: true });
    }
  }

  /** Folders with a manifest, newest first. */
  #committed(): string[] {
    return this.#folders()
      .filter((directory) => existsSync(join(directory, MANIFEST)))
      .reverse();
  }

  /** All folders, oldest first: the names' digits sort by step. */
  #folders(): string[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .filter((name) => /^step-\d{8,}$/.test(name))
      .sort()
      .map((name) => join(this.#directory, name));
  }
}

async function verify(
  directory: string,
  file: { name: string; sizeBytes: bigint; sha256: string },
): Promise<void> {
  const path = join(directory, file.name);
  const size = existsSync(path) ? statSync(path).size : undefined;
  if (size === undefined) throw new Error(`${file.name} is missing`);
  if (BigInt(size) !== file.sizeBytes) {
    throw new Error(`${file.name} has ${size} bytes, its manifest says ${file.sizeBytes}`);
  }
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  if (hash.digest("hex") !== file.sha256) {
    throw new Error(`${file.name} is damaged: its checksum is not the manifest's`);
  }
}

function encode(manifest: Manifest): JsonObject {
  return {
    formatVersion: FORMAT_VERSION,
    runId: manifest.runId,
    generation: manifest.generation,
    step: manifest.step,
    shards: toJson(CheckpointShardsSchema, manifest.shards),
    layout: toJson(LayoutSchema, manifest.layout),
    model: toJson(ModelConfigSchema, manifest.model),
    moe: toJson(MoeConfigSchema, manifest.moe),
    controller: manifest.controller,
    committedAt: manifest.committedAt,
  };
}

/** Throws an Error that says what is wrong with the text. */
function decode(json: JsonObject): Manifest {
  if (json.formatVersion !== FORMAT_VERSION) {
    throw new Error(
      `its manifest has format ${json.formatVersion}, this version reads ${FORMAT_VERSION}`,
    );
  }
  const part = (name: string): JsonValue => {
    const value = json[name];
    if (value === undefined) throw new Error(`its manifest lacks ${name}`);
    return value;
  };
  return {
    runId: String(part("runId")),
    generation: Number(part("generation")),
    step: Number(part("step")),
    shards: fromJson(CheckpointShardsSchema, part("shards")),
    layout: fromJson(LayoutSchema, part("layout")),
    model: fromJson(ModelConfigSchema, part("model")),
    moe: fromJson(MoeConfigSchema, part("moe")),
    controller: part("controller"),
    committedAt: String(part("committedAt")),
  };
}
