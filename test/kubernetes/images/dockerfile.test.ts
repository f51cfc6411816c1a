import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readCopy, readDockerfile } from "./dockerfile.ts";
import { isIgnored } from "./ignore-file.ts";
import { IMAGES, ROOT } from "./image.ts";

const DOCKERFILES = globSync("k8s/docker/*.Dockerfile", { cwd: ROOT }).sort();
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

describe("every Dockerfile", () => {
  it("is read here as an image, and pins what it builds on to a release", () => {
    const known = new Set(IMAGES.map(([, dockerfile]) => `k8s/docker/${dockerfile}`));
    assert.deepEqual(DOCKERFILES, [...known].sort());
    const { devDependencies } = JSON.parse(read("package.json"));
    for (const file of DOCKERFILES) {
      const stages = readDockerfile(read(file));
      const own = new Set(stages.map(({ name }) => name));
      for (const { base } of stages.filter((stage) => !own.has(stage.base))) {
        assert.match(base, /^[a-z/]+:\d+\.\d+\.\d+-[a-z-]+$/, `${file}: FROM ${base}`);
        const [name, version = ""] = base.split(":");
        // The Node that everything is tested with.
        if (name === "node") assert.match(version, new RegExp(`^${devDependencies.node}-`));
      }
    }
  });

  it("copies what is in its context", () => {
    for (const file of DOCKERFILES) {
      const copies = readDockerfile(read(file))
        .flatMap(({ instructions }) => instructions)
        .filter(({ name }) => name === "COPY")
        .map(({ args }) => readCopy(args));
      const sources = copies.flatMap((copy) => (copy.from === "" ? copy.sources : []));
      const ignoreFile = read(`${file}.dockerignore`);
      const isLost = (path: string) => !existsSync(join(ROOT, path)) || isIgnored(path, ignoreFile);
      assert.deepEqual(sources.filter(isLost), [], file);
    }
  });

  it("installs packages of one version each", () => {
    for (const file of DOCKERFILES) {
      const runs = readDockerfile(read(file))
        .flatMap(({ instructions }) => instructions)
        .filter(({ name }) => name === "RUN")
        .map(({ args }) => args);
      for (const run of runs.filter((one) => /\bnpm\b/.test(one)))
        assert.match(run, /npm ci --omit=dev/);
      for (const run of runs.filter((one) => /\bpip install\b/.test(one))) {
        assert.match(run, / -r \/tmp\/requirements\.txt -c \/tmp\/constraints\.txt$/);
        for (const named of run.match(/"[^"]+"/g) ?? []) {
          assert.match(named, /^"[a-z]+==[\d.+a-z]+"$/);
        }
      }
    }
    const namesIn = (file: string, pattern: RegExp) =>
      [...read(file).matchAll(pattern)].map(([, name]) => name);
    const pinned = new Set([
      ...namesIn("worker/engine/requirements.txt", /^([a-z-]+)==\S+$/gm),
      ...namesIn("k8s/docker/constraints.txt", /^([a-z0-9-]+)==[\d.]+$/gm),
    ]);
    const needed = namesIn("worker/engine/requirements.txt", /^([a-z-]+)\b/gm);
    assert.ok(needed.length >= 4);
    assert.deepEqual(
      needed.filter((name) => !pinned.has(name)),
      [],
    );
  });
});
