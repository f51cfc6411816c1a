import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { it } from "node:test";
import { stringify } from "yaml";
import { kustomize, whyNoKubectl } from "./kubectl.ts";
import { documents, MANIFESTS } from "./manifests-fixture.ts";

const skip = whyNoKubectl() ?? false;
const REGISTRY = "registry.example.com";

/** What a kustomization of one's own makes of k8s/. */
async function made(kustomization: object): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "moestro-own-"));
  try {
    const resources = [relative(folder, MANIFESTS)];
    writeFileSync(join(folder, "kustomization.yaml"), stringify({ resources, ...kustomization }));
    return await kustomize(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const imagesMap = (text: string) =>
  documents(text).find(({ metadata }) => metadata.name.startsWith("moestro-images-"));

it("images come from a registry of one's own, and the coordinator starts anew for them", {
  skip,
}, async () => {
  const literals = ["cpu", "cuda"].map((one) => `${one}=${REGISTRY}/worker-${one}:0.1.0`);
  const text = await made({
    images: [
      { name: "moestro/coordinator", newName: `${REGISTRY}/coordinator` },
      { name: "valkey/valkey", newName: `${REGISTRY}/valkey` },
    ],
    configMapGenerator: [{ name: "moestro-images", behavior: "merge", literals }],
  });
  const images = [...text.matchAll(/^ +(?:- )?image: (.*)$/gm)].map(([, image]) => image);
  assert.deepEqual(images, [`${REGISTRY}/coordinator:0.1.0`, `${REGISTRY}/valkey:8.1.10`]);
  const map = imagesMap(text);
  assert.deepEqual(map?.data, {
    cpu: `${REGISTRY}/worker-cpu:0.1.0`,
    cuda: `${REGISTRY}/worker-cuda:0.1.0`,
  });
  const name = map?.metadata.name ?? "";
  assert.notEqual(name, imagesMap(await made({}))?.metadata.name);
  assert.equal(text.split(`name: ${name}\n`).length, 4, "itself, and two variables");
});

it("everything may lie in another namespace", { skip }, async () => {
  const text = await made({ namespace: "training" });
  assert.doesNotMatch(text, /namespace: moestro$/m);
  const namespaces = documents(text).filter(({ kind }) => kind === "Namespace");
  assert.deepEqual(
    namespaces.map(({ metadata }) => metadata.name),
    ["training"],
  );
});
