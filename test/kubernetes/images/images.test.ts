import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { pythonExecutable } from "../../../coordinator/environment/python.ts";
import { createAuthority } from "../../../coordinator/rpc/certificates.ts";
import { bearer, clusterAt, kubeconfigText } from "../kubeconfig.ts";
import { IMAGES, Image, ROOT } from "./image.ts";
import { missingFrom } from "./named-files.ts";

/** What is started in an image, and what starts others. */
const ENTRIES = ["bin/moestro.mjs", "coordinator/cli/main.ts", "worker/agent/main.ts"];

const made = new Map<string, Image>();
let folder: string;
/** Nobody listens there. */
let closedPort: number;
before(async () => {
  for (const [what, dockerfile, target] of IMAGES) made.set(what, new Image(dockerfile, target));
  folder = mkdtempSync(join(tmpdir(), "moestro-images-"));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  closedPort = (server.address() as { port: number }).port;
  await new Promise((resolve) => server.close(resolve));
});
after(() => {
  for (const image of made.values()) image.remove();
  rmSync(folder, { recursive: true });
});

function image(what: string): Image {
  const found = made.get(what);
  assert.ok(found);
  return found;
}

/** The image's program as its user starts it, but for where Python and writable folders are. */
function start(what: string, args: readonly string[]): ChildProcess {
  const { folder: root, environment } = image(what);
  return spawn(process.execPath, [join(root, "bin/moestro.mjs"), ...args], {
    cwd: folder,
    env: {
      ...{ PATH: process.env.PATH, ...environment, HOME: folder },
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(folder, "cache"),
      MOESTRO_PYTHON: pythonExecutable(),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Waits for a line that fits, then ends the program; what it said instead if it ended. */
async function says(child: ChildProcess, wanted: RegExp): Promise<void> {
  const said: string[] = [];
  await new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        if (wanted.test(line)) resolve();
      });
    }
    child.once("close", () => resolve());
  });
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    await once(child, "close");
  }
  assert.match(said.join("\n"), wanted);
}

const help = (what: string, command: string) =>
  new Promise<string>((resolve, reject) => {
    const main = join(image(what).folder, "bin/moestro.mjs");
    const options = { env: { PATH: process.env.PATH, ...image(what).environment } };
    execFile(process.execPath, [main, command, "--help"], options, (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(stdout),
    );
  });

describe("an image", () => {
  it("has every file and package that its sources name", () => {
    for (const [what] of IMAGES) {
      const missing = missingFrom(image(what).folder, ENTRIES);
      // Where there is no Python, there is no engine.
      const isEngine = ({ name }: { name: string }) => /^[./]+(worker\/)?engine$/.test(name);
      const wanted = what === "coordinator" ? missing.filter(isEngine) : [];
      assert.deepEqual(missing, wanted, what);
    }
  });

  it("without a file or package is found out", (test) => {
    const broken = new Image("worker.Dockerfile", "cpu");
    test.after(() => broken.remove());
    rmSync(join(broken.folder, "coordinator/operator/judge/judge-thread-main.ts"));
    rmSync(join(broken.folder, "node_modules/bullmq"));
    const missing = missingFrom(broken.folder, ENTRIES);
    const names = new Set(missing.map(({ name }) => name));
    assert.deepEqual([...names].sort(), ["./judge-thread-main.ts", "bullmq"]);
  });

  it("has no tests, and nothing of development", () => {
    for (const [what] of IMAGES) {
      const { folder: root } = image(what);
      const paths = globSync("{bin,coordinator,proto,worker}/**/*", { cwd: root });
      const odd = paths.filter((path) =>
        /\.test\.|fixture\.|__pycache__|\/\.|\/tests\//.test(path),
      );
      assert.deepEqual(odd, [], what);
      assert.deepEqual(globSync("node_modules/{typescript,fast-check,node}", { cwd: root }), []);
    }
  });

  it("of workers has the whole engine", () => {
    const sources = (root: string) =>
      globSync("worker/engine/moestro*/**/*.py", { cwd: root }).sort();
    const wanted = sources(ROOT);
    assert.ok(wanted.length > 50);
    for (const what of ["worker-cpu", "worker-cuda"]) {
      assert.deepEqual(sources(image(what).folder), wanted, what);
    }
  });

  it("runs as a user that is not root, and has its entry point", () => {
    for (const [what] of IMAGES) {
      const last = (name: string) =>
        image(what).instructions.findLast((one) => one.name === name)?.args;
      assert.equal(last("USER"), "10001:10001", what);
      // Agents have descendants that nobody else waits for.
      const words = what === "coordinator" ? ["moestro"] : ["tini", "--", "moestro"];
      assert.deepEqual(JSON.parse(last("ENTRYPOINT") ?? ""), words, what);
    }
  });
});

describe("the coordinator's image", () => {
  it("has the commands that its pods run", async () => {
    const texts = ["serve", "operator"].map((command) => help("coordinator", command));
    for (const text of await Promise.all(texts)) assert.match(text, /^Usage: moestro /);
  });

  it("starts an operator, which says what it lacks", async () => {
    const { certificate } = await createAuthority(new Date());
    const cluster = clusterAt(`https://127.0.0.1:${closedPort}`, certificate);
    const file = join(folder, "kubeconfig.json");
    writeFileSync(file, kubeconfigText(cluster, bearer("x"), "default"));
    const args = ["operator", "--namespace=default", "--listen=127.0.0.1:0"];
    await Promise.all([
      says(
        start("coordinator", [...args, "--kubeconfig=nothing.json", "--runs-dir=none"]),
        /^nothing\.json: cannot be read: .*; give the file with --kubeconfig$/,
      ),
      says(
        start("coordinator", [...args, `--kubeconfig=${file}`]),
        /the operator's lease: .*ECONNREFUSED/,
      ),
    ]);
  });
});

describe("the worker's image", () => {
  it("starts an agent, which tries to reach its coordinator", async () => {
    const { certificate } = await createAuthority(new Date());
    writeFileSync(join(folder, "authority.pem"), certificate);
    writeFileSync(join(folder, "token"), "x.y.z");
    const agent = ["agent", `--coordinator=127.0.0.1:${closedPort}`, "--agent-id=a", "--slots=1"];
    const pod = [
      `--join=127.0.0.1:${closedPort}`,
      "--token-file=token",
      "--authority=authority.pem",
    ];
    await says(
      start("worker-cpu", [...agent, ...pod, "--credentials=credentials"]),
      /^moestro agent a: 127\.0\.0\.1:\d+: no coordinator answers there .*; trying on$/m,
    );
    assert.match(await help("worker-cuda", "agent"), /^Usage: moestro agent /);
  });
});
