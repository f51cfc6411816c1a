import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import type { ApiServer } from "../../test/kubernetes/api-server.ts";
import { type JsonObject, textAt } from "../../test/kubernetes/json.ts";
import { openCluster, ownName } from "../../test/kubernetes/open-cluster.ts";
import { render } from "../cli/k8s/render.ts";
import { planSnapshot } from "../cli/plan/plan-snapshot.ts";
import { MoestroError } from "../errors.ts";
import { judgeSpec } from "../operator/judge/judge-spec.ts";
import { seenOf } from "../operator/reconcile/job-fixture.ts";
import type { ObservedJob } from "../operator/reconcile/observation.ts";
import { reconcile } from "../operator/reconcile/reconcile.ts";
import { JUDGED, REFUSED, UNCHANGEABLE } from "./bad-specs-fixture.ts";
import { fixtureSpec } from "./crd/spec-fixture.ts";
import { API_VERSION, KIND, PLURAL } from "./names.ts";

const CRD = fileURLToPath(new URL("../../k8s/base/crd.yaml", import.meta.url));
const NAMESPACE = ownName("bad-specs");
const JOBS = `/apis/${API_VERSION}/namespaces/${NAMESPACE}/${PLURAL}`;
/** As kubectl applies. */
const STRICT = "fieldValidation=Strict";

let kube: ApiServer;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "moestro-bad-specs-"));
  kube = await openCluster({ namespaces: [NAMESPACE] });
  await kube.define(parse(readFileSync(CRD, "utf8")));
});
after(async () => {
  await kube.close();
  rmSync(folder, { recursive: true });
});

function manifest(changes: Record<string, unknown> = {}, name = "tiny"): JsonObject {
  const spec = JSON.parse(JSON.stringify(fixtureSpec(changes)));
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec };
}

/** What `moestro k8s render` says against a manifest in a file, without where in the file. */
async function saidByCli(object: JsonObject): Promise<{ lines: string[]; notes: string[] }> {
  const file = join(folder, "job.yaml");
  writeFileSync(file, stringify(object));
  const bare = (line: string) =>
    line.startsWith(file) ? line.slice(file.length).replace(/^(:\d+:\d+)?: /, "") : line;
  try {
    return { lines: [], notes: (await render(file)).notes.map(bare) };
  } catch (error) {
    if (!(error instanceof MoestroError)) throw error;
    return { lines: error.lines.map(bare), notes: [] };
  }
}

/** What the API server makes of a manifest, defaults and all, or what it has against it. */
async function applied(object: JsonObject): Promise<ObservedJob | string> {
  const { code, body } = await kube.request("POST", `${JOBS}?dryRun=All&${STRICT}`, object);
  return code === 201 ? (body as unknown as ObservedJob) : textAt(body, "message");
}

describe("a spec that the CRD can judge is refused by the API server itself", () => {
  for (const [what, { spec, name, says }] of Object.entries(REFUSED)) {
    it(`for ${what}, and by the CLI`, async () => {
      const object = manifest(spec, name);
      const refusal = await applied(object);
      assert.ok(typeof refusal === "string", "it was taken");
      assert.match(refusal, new RegExp(says.replaceAll(/[[\]()]/g, "\\$&")));
      assert.notDeepEqual((await saidByCli(object)).lines, []);
    });
  }

  it("for a change that no run can honour, while the rest may change", async () => {
    const { code, body } = await kube.request("POST", JOBS, manifest({}, "kept"));
    assert.equal(code, 201);
    const { resourceVersion } = (body as unknown as ObservedJob).metadata;
    const change = (changes: Record<string, unknown>) => {
      const metadata = { name: "kept", resourceVersion };
      const object = { ...manifest(changes), metadata };
      return kube.request("PUT", `${JOBS}/kept?dryRun=All&${STRICT}`, object);
    };
    for (const [what, [changes, says]] of Object.entries(UNCHANGEABLE)) {
      const refused = await change(changes);
      assert.equal(refused.code, 422, what);
      assert.match(textAt(refused.body, "message"), new RegExp(says), what);
    }
    for (const free of [{ nodes: { max: 1 } }, { suspend: true }, { maxRestarts: 0 }]) {
      assert.equal((await change(free)).code, 200);
    }
  });
});

describe("a spec that only the coordinator can judge", () => {
  for (const [what, [spec, says]] of Object.entries(JUDGED)) {
    it(`fails for ${what}, in the lines that the CLI says`, async () => {
      const object = manifest(spec);
      const job = await applied(object);
      assert.ok(typeof job === "object", String(job));
      const verdict = await judgeSpec(job, "/", planSnapshot);
      const { lines } = await saidByCli(object);
      assert.deepEqual(verdict.kind === "refused" && verdict.lines, lines);
      assert.match(lines.join("\n"), says);
      const { actions } = reconcile(seenOf(job, { verdict }));
      const told = actions.flatMap((one) => (one.kind === "patchStatus" ? [one.status] : []));
      const failed = told[0]?.conditions?.find(({ type }) => type === "Failed");
      assert.deepEqual([failed?.status, failed?.message], ["True", lines.join("\n")]);
    });
  }

  it("is taken with a template below the restricted standard, which the CLI notes", async () => {
    const object = manifest({ template: { spec: { securityContext: { runAsUser: 0 } } } });
    const job = await applied(object);
    assert.ok(typeof job === "object", String(job));
    assert.equal((await judgeSpec(job, "/", planSnapshot)).kind, "planned");
    assert.deepEqual(await saidByCli(object), {
      lines: [],
      notes: [
        "spec.template: the pod runs as root; a namespace of the restricted standard refuses such pods",
      ],
    });
  });
});
