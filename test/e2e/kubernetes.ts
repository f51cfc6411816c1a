import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { freePorts } from "../free-ports.ts";
import { textAt } from "../kubernetes/json.ts";
import { startKubectl } from "../kubernetes/kubectl.ts";
import { startCluster, type TestCluster } from "../kubernetes/start.ts";

const HOOKS = fileURLToPath(new URL("../faults/hooks", import.meta.url));
/** So long, a job of 240 steps outlasts what is done to it, also on a fast machine. */
const LEAST_STEP_MS = 250;
const LAUNCHER = fileURLToPath(new URL("../../bin/moestro.mjs", import.meta.url));

/**
 * A cluster of this machine's processes with moestro's images: what Kubernetes does with hosts
 * and names is done by ports here, as all pods share the machine's loopback.
 */
export class Cluster {
  readonly kube: TestCluster;

  private constructor(kube: TestCluster) {
    this.kube = kube;
  }

  static async start(nodes: readonly string[]): Promise<Cluster> {
    const moestro = {
      prefix: [process.execPath],
      entrypoint: [LAUNCHER],
      environment: {
        ...{ MOESTRO_PYTHON: pythonExecutable(), OMP_NUM_THREADS: "1", PATH: path() },
        ...{ PYTHONPATH: HOOKS, MOESTRO_LEAST_STEP_MS: String(LEAST_STEP_MS) },
      },
    };
    // The coordinator's three come one after the other.
    const [coordinator, , , store] = await freePorts(4);
    const kube = await startCluster({
      nodes,
      images: {
        "moestro/coordinator:0.1.0": moestro,
        "moestro/worker-cpu:0.1.0": moestro,
        "valkey/valkey:8.1.10": {
          // The name of its own server comes first, and is none here.
          prefix: ["/bin/sh", "-c", `exec redis-server "$@" --bind 127.0.0.1 --port ${store}`],
          environment: { PATH: path() },
        },
      },
    });
    const names: readonly (readonly [RegExp, string])[] = [
      [/^(--listen=)0\.0\.0\.0:7070$/, `$1127.0.0.1:${coordinator}`],
      [/^(--http=)0\.0\.0\.0:9090$/, `$1127.0.0.1:${coordinator + 2}`],
      [/^(--advertise=).*$/, "$1127.0.0.1"],
      [/moestro-store:6379/, `127.0.0.1:${store}`],
      [/moestro\.moestro\.svc:7070/g, `127.0.0.1:${coordinator}`],
    ];
    kube.nodes.rewrite = (text, pod) =>
      textAt(pod, "metadata", "namespace") === "moestro" ? renamed(text, names) : text;
    return new Cluster(kube);
  }

  /** Runs the real kubectl, in the project's folder; throws what it said if it failed. */
  async kubectl(...args: string[]): Promise<string> {
    const child = startKubectl(this.kube, args);
    const [stdout, stderr, [exitCode]] = await Promise.all([
      text(child.stdout as Readable),
      text(child.stderr as Readable),
      once(child, "close"),
    ]);
    if (exitCode === 0) return stdout;
    throw new Error(`kubectl ${args.join(" ")}: exit code ${exitCode}: ${stderr}${stdout}`);
  }

  close(): Promise<void> {
    return this.kube.close();
  }
}

const path = () => process.env.PATH ?? "";

function renamed(text: string, names: readonly (readonly [RegExp, string])[]): string {
  return names.reduce((said, [name, here]) => said.replace(name, here), text);
}
