import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { textAt } from "../kubernetes/json.ts";
import { type Output, startKubectl } from "../kubernetes/kubectl.ts";
import { startCluster, type TestCluster } from "../kubernetes/start.ts";
import type { Shell } from "./kubernetes-docs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const LAUNCHER = join(ROOT, "bin/moestro.mjs");

/**
 * A cluster of this machine's processes with moestro's images: what Kubernetes does with hosts
 * and names is done by ports here, as all pods share the machine's loopback.
 */
export class Cluster {
  readonly kube: TestCluster;
  /** A folder with `moestro` in it. */
  private readonly commands = mkdtempSync(join(tmpdir(), "moestro-commands-"));

  private constructor(kube: TestCluster) {
    this.kube = kube;
    symlinkSync(LAUNCHER, join(this.commands, "moestro"));
  }

  static async start(nodes: readonly string[]): Promise<Cluster> {
    const moestro = {
      prefix: [process.execPath],
      entrypoint: [LAUNCHER],
      environment: { MOESTRO_PYTHON: pythonExecutable(), OMP_NUM_THREADS: "1", PATH: path() },
    };
    const [coordinator, store] = await freePorts();
    const kube = await startCluster({
      nodes,
      images: {
        "moestro/coordinator:0.1.0": moestro,
        "moestro/worker-cpu:0.1.0": moestro,
        "valkey/valkey:8.1.1": {
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
    const { exitCode, stdout, stderr } = await this.tryKubectl(...args);
    if (exitCode === 0) return stdout;
    throw new Error(`kubectl ${args.join(" ")}: exit code ${exitCode}: ${stderr}${stdout}`);
  }

  /** Likewise, whatever comes of it. */
  async tryKubectl(...args: string[]): Promise<Output> {
    const child = startKubectl(this.kube, args);
    const [stdout, stderr, [exitCode]] = await Promise.all([
      text(child.stdout as Readable),
      text(child.stderr as Readable),
      once(child, "close"),
    ]);
    return { exitCode: exitCode ?? -1, stdout, stderr };
  }

  /** A person's, in the project's folder, with the cluster's kubeconfig and both commands. */
  get shell(): Shell {
    const start = (command: string) => this.startShell(command);
    return {
      async run(command) {
        const child = start(command);
        const [stdout, stderr, [exitCode]] = await Promise.all([
          text(child.stdout),
          text(child.stderr),
          once(child, "close"),
        ]);
        return { exitCode: exitCode ?? -1, stdout, stderr };
      },
      start(command) {
        const child = start(command);
        const printed = text(child.stdout);
        return () => {
          // With what it started: a group of its own.
          process.kill(-(child.pid ?? 0), "SIGTERM");
          return printed;
        };
      },
    };
  }

  private startShell(command: string) {
    const { kubeconfig } = this.kube;
    // The kubectl that tests use lies beside Python, where there is one.
    const folders = [this.commands, dirname(pythonExecutable()), path()];
    return spawn("/bin/sh", ["-c", command], {
      ...{ cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] },
      env: {
        ...process.env,
        ...{ PATH: folders.join(delimiter), KUBECONFIG: kubeconfig },
        KUBECACHEDIR: `${kubeconfig}.cache`,
      },
    });
  }

  async close(): Promise<void> {
    rmSync(this.commands, { recursive: true });
    await this.kube.close();
  }
}

const path = () => process.env.PATH ?? "";

function renamed(text: string, names: readonly (readonly [RegExp, string])[]): string {
  return names.reduce((said, [name, here]) => said.replace(name, here), text);
}

/** The first of three in a row for the coordinator, and one for its store. */
export async function freePorts(): Promise<[number, number]> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 30_000);
    const wanted = [first, first + 1, first + 2, first + 3];
    const free = await Promise.all(wanted.map(isFree));
    if (free.every(Boolean)) return [first, first + 3];
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
