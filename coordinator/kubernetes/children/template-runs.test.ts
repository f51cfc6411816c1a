import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { CHILDREN_OPTIONS } from "./options.ts";
import { runsProblems, withRunsKept } from "./template-runs.ts";

type Mount = { name?: string; mountPath: string; subPath?: string; readOnly?: boolean | null };

const container = (name: string, ...volumeMounts: Mount[]) => ({ name, volumeMounts });
const agent = (...mounts: Mount[]) => ({ containers: [container("agent", ...mounts)] });
const linesOf = (spec: Record<string, unknown>) =>
  runsProblems(spec, ["spec"]).map(({ path, message }) => `${path.join(".")}: ${message}`);

const WRITES = "would write what is of other runs; add readOnly: true, or remove it";
const HIDES = "is where agents read the runs; mount it below, or elsewhere";

describe("a template that mounts the runs otherwise is refused", () => {
  const cases: Record<string, [spec: Record<string, unknown>, line: string]> = {
    "where it would write them": [
      { initContainers: [container("x", { name: "runs", mountPath: "/all" })] },
      `spec.initContainers.0.volumeMounts.0: ${WRITES}`,
    ],
    "where the agent's own mount would": [
      agent({ mountPath: "/runs/", readOnly: null }),
      `spec.containers.0.volumeMounts.0: ${WRITES}`,
    ],
    "where another volume would be in their place": [
      agent({ name: "x", mountPath: "/runs", readOnly: true }),
      `spec.containers.0.volumeMounts.0: ${HIDES}`,
    ],
  };
  for (const [what, [spec, line]] of Object.entries(cases)) {
    it(what, () => assert.deepEqual(linesOf(spec), [line]));
  }
});

it("a template may read the runs, and mount volumes of its own below them", () => {
  assert.deepEqual(linesOf(agent({ name: "x", mountPath: "/runs/data" })), []);
  const sidecar = container("y", { name: "runs", mountPath: "/r", readOnly: true });
  assert.deepEqual(linesOf({ containers: [sidecar] }), []);
});

const claim = (name: string, claimName: string) => ({
  ...{ name, persistentVolumeClaim: { claimName } },
});

it("pods write in no other run's folder, whatever template and claim are called", () => {
  const spec = {
    nodeName: "kept",
    volumes: [claim("runs", "shared"), claim("x", "shared"), claim("own", "mine")],
    initContainers: [container("first", { name: "x", mountPath: "/x" }), { name: "bare" }],
    containers: [
      container(
        ...([
          "agent",
          { name: "runs", mountPath: "/runs/tiny-0f9c", subPath: "tiny-0f9c" },
        ] as const),
        { name: "runs", mountPath: "/runs/other-1", subPath: "other-1" },
        { name: "own", mountPath: "/runs/data" },
      ),
      container("sidecar", { name: "runs", mountPath: "/x", readOnly: false }),
    ],
  };
  const job = { metadata: { name: "tiny", uid: "0f9c" } } as MoETrainingJob;
  const kept = withRunsKept(spec, job, { ...CHILDREN_OPTIONS, runsClaim: "shared" });
  const containers = [kept.initContainers, kept.containers].flat() as { volumeMounts?: Mount[] }[];
  const writable = containers.flatMap(({ volumeMounts = [] }) =>
    volumeMounts.filter(({ readOnly }) => !readOnly).map(({ mountPath }) => mountPath),
  );
  assert.deepEqual(writable, ["/runs/tiny-0f9c", "/runs/data"]);
  assert.partialDeepStrictEqual(kept, { nodeName: "kept", volumes: spec.volumes });
  assert.deepEqual(containers[1], { name: "bare" });
});
