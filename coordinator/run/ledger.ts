import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { MoestroError } from "../errors.ts";
import { NOT_REGULAR, readRegularFileSync } from "../regular-file.ts";
import { writeAtomically } from "./files.ts";
import { DamageError, decodeManifest, encodeManifest, type Manifest } from "./manifest.ts";

const MANIFEST = "manifest.json";
/** Of a checkpoint of many thousand ranks. */
const MAX_MANIFEST_BYTES = 256 * 1024 ** 2;
const FOLDER = /^step-\d{8,}$/;
const SET_ASIDE = /^set-aside-step-\d{8,}$/;

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
    commitCheckpoint(directory, manifest);
    return { directory, manifest };
  }

  /**
   * The newest checkpoint whose files are all there and unharmed; undefined if
   * none was ever committed. For each newer one that is damaged, `damaged` is
   * told the folder and what is wrong. Throws MoestroError if all are damaged:
   * then a person must decide, for going on would mean to start anew. Failures
   * of the disk itself are thrown, not taken for damage.
   */
  async newest(
    damaged: (directory: string, why: string) => void,
  ): Promise<CommittedCheckpoint | undefined> {
    const committed = this.#committed();
    const damages: string[] = [];
    for (const directory of committed) {
      try {
        return await readCheckpoint(directory);
      } catch (error) {
        if (!(error instanceof DamageError)) throw error;
        damaged(directory, error.message);
        damages.push(`${basename(directory)}: ${error.message}`);
      }
    }
    if (committed.length === 0) return undefined;
    throw new MoestroError(
      "run_failed",
      `${this.#directory}: none of its ${committed.length} checkpoints is whole (${damages.join("; ")}); start a new run, or put a good copy back`,
    );
  }

  /** The newest checkpoint that was committed, its files unseen; undefined if there is none. */
  newestCommitted(): CommittedCheckpoint | undefined {
    for (const directory of this.#committed()) {
      try {
        return { directory, manifest: readManifest(directory) };
      } catch (error) {
        if (!(error instanceof DamageError)) throw error;
      }
    }
    return undefined;
  }

  /**
   * Removes all committed checkpoints but the newest `keep`, uncommitted ones
   * before those, and what was set aside.
   */
  prune(keep: number): void {
    const kept = this.#committed().slice(0, keep);
    const oldest = kept.at(-1);
    if (oldest === undefined) return;
    const old = this.#folders(FOLDER).filter((directory) => directory < oldest);
    for (const directory of [...old, ...this.#folders(SET_ASIDE)]) {
      // First what makes it count: half a checkpoint must not look like one.
      rmSync(join(directory, MANIFEST), { force: true });
      rmSync(directory, { recursive: true });
    }
  }

  /**
   * Moves away what ranks wrote after `step`, which will be written again. It
   * goes for good once a newer checkpoint is committed.
   */
  setAsideAfter(step: number): void {
    for (const directory of this.#folders(FOLDER)) {
      if (directory <= this.folder(step)) continue;
      const aside = join(this.#directory, `set-aside-${basename(directory)}`);
      rmSync(aside, { recursive: true, force: true });
      renameSync(directory, aside);
    }
  }

  /** Folders with a manifest, newest first. */
  #committed(): string[] {
    return this.#folders(FOLDER).filter(isCheckpoint).reverse();
  }

  /** All folders, oldest first: the names' digits sort by step. */
  #folders(pattern: RegExp): string[] {
    if (!existsSync(this.#directory)) return [];
    return readdirSync(this.#directory)
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => join(this.#directory, name));
  }
}

/** Whether a folder holds a committed checkpoint. */
export function isCheckpoint(directory: string): boolean {
  return existsSync(join(directory, MANIFEST));
}

/** The manifest of a committed checkpoint; throws DamageError if it is none. Files are not looked at. */
export function readManifest(directory: string): Manifest {
  return decodeManifest(manifestText(directory), directory);
}

/** The folder is the nodes' to write into as well, or one that a job names. */
function manifestText(directory: string): string {
  try {
    return readRegularFileSync(join(directory, MANIFEST), MAX_MANIFEST_BYTES);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== NOT_REGULAR && code !== "EISDIR" && code !== "EFBIG") throw error;
    throw new DamageError(`its ${MANIFEST} ${message}`);
  }
}

/** A checkpoint whose files are all there and unharmed; throws DamageError if they are not. */
export async function readCheckpoint(directory: string): Promise<CommittedCheckpoint> {
  const manifest = readManifest(directory);
  for (const file of manifest.shards.files) await verify(directory, file);
  return { directory, manifest };
}

/** Makes what lies in the folder count as a checkpoint. */
export function commitCheckpoint(directory: string, manifest: Manifest): void {
  writeAtomically(join(directory, MANIFEST), encodeManifest(manifest));
}

async function verify(
  directory: string,
  file: { name: string; sizeBytes: bigint; sha256: string },
): Promise<void> {
  const path = join(directory, file.name);
  const size = existsSync(path) ? statSync(path).size : undefined;
  if (size === undefined) throw new DamageError(`${file.name} is missing`);
  if (BigInt(size) !== file.sizeBytes) {
    throw new DamageError(`${file.name} has ${size} bytes, its manifest says ${file.sizeBytes}`);
  }
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  if (hash.digest("hex") !== file.sha256) {
    throw new DamageError(`${file.name} is damaged: its checksum is not the manifest's`);
  }
}
