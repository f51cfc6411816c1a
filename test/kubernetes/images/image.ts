import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  environmentOf,
  type Instruction,
  instructionsFor,
  readCopy,
  readDockerfile,
} from "./dockerfile.ts";
import { isIgnored } from "./ignore-file.ts";

/** The build's context. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The images that are built, by the last part of their names. */
export const IMAGES: readonly (readonly [what: string, dockerfile: string, target?: string])[] = [
  ["coordinator", "coordinator.Dockerfile"],
  ["worker-cpu", "worker.Dockerfile", "cpu"],
  ["worker-cuda", "worker.Dockerfile", "cuda"],
];

const DOCKERFILES = join(ROOT, "k8s/docker");

/** The folder of an image that programs lie in, with what its Dockerfile puts there. */
export class Image {
  readonly folder = mkdtempSync(join(tmpdir(), "moestro-image-"));
  readonly instructions: readonly Instruction[];
  readonly environment: { [name: string]: string };

  /** @param target a stage; the last one if none is named */
  constructor(dockerfile: string, target?: string) {
    const path = join(DOCKERFILES, dockerfile);
    const stages = readDockerfile(readFileSync(path, "utf8"));
    const stage = target === undefined ? stages.at(-1) : stages.find(({ name }) => name === target);
    assert.ok(stage, `${dockerfile} has no stage ${target}`);
    this.instructions = instructionsFor(stages, stage);
    this.environment = environmentOf(this.instructions);
    const ignoreFile = readFileSync(`${path}.dockerignore`, "utf8");
    for (const { name, args } of this.instructions) {
      if (name !== "COPY") continue;
      const { from, sources, target: place } = readCopy(args);
      if (from === "") this.copy(sources, place, ignoreFile);
      else
        assert.ok(
          stages.some((one) => one.name === from),
          `there is no stage ${from}`,
        );
      if (from !== "" && place === "node_modules") linkPackages(join(this.folder, place));
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  /** A folder's content goes into the target; so do files where that ends with a slash. */
  private copy(sources: readonly string[], target: string, ignoreFile: string): void {
    for (const source of sources) {
      const from = join(ROOT, source);
      assert.ok(
        existsSync(from) && !isIgnored(source, ignoreFile),
        `${source}: not in the context`,
      );
      const to = join(this.folder, target.endsWith("/") ? join(target, source) : target);
      cpSync(from, to, {
        recursive: true,
        filter: (one) => !isIgnored(relative(ROOT, one), ignoreFile),
      });
    }
  }
}

/** What `npm ci --omit=dev` installs, as links to what is installed here. */
function linkPackages(folder: string): void {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: { [path: string]: { dev?: boolean } };
  };
  for (const [path, { dev = false }] of Object.entries(lock.packages)) {
    const [, name, ...nested] = path.split("node_modules/");
    // Those within others are theirs; those for other machines are not here.
    if (dev || name === undefined || nested.length > 0 || !existsSync(join(ROOT, path))) continue;
    const link = join(folder, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, path), link);
  }
}
