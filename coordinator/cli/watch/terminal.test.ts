import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENTER_SCREEN, HIDE_CURSOR, LEAVE_SCREEN, SHOW_CURSOR } from "../view/escapes.ts";
import { runningAt } from "./fixture.ts";
import { openCluster } from "./fixture-coordinator.ts";

const TYPE_CTRL_C = fileURLToPath(new URL("../../../test/e2e/type_ctrl_c.py", import.meta.url));
const PYTHON =
  process.env.MOESTRO_PYTHON ??
  fileURLToPath(new URL("../../../.venv/bin/python", import.meta.url));
const { runId } = runningAt(1);
const cluster = await openCluster();
const coordinator = await cluster.start();
after(() => cluster.close());

const href = (module: string) => JSON.stringify(new URL(module, import.meta.url).href);
const COMMAND = `
  import { watchCommand } from ${href("../watch.ts")};
  await watchCommand().parseAsync(process.argv.slice(1), { from: "user" });
`;
/** The dashboard on a stream that says it is a terminal. */
const DASHBOARD = `
  import { findCoordinators } from ${href("../context.ts")};
  import { showDashboard } from ${href("./dashboard.ts")};
  const stream = Object.assign(process.stdout, { isTTY: true, columns: 80, rows: 24 });
  const coordinators = () => findCoordinators(["${coordinator.address}"]);
  const options = { stream, input: process.stdin, env: {}, runId: undefined, coordinators };
  if (process.argv[1] === "crash") setTimeout(() => { throw new Error("a mistake") }, 500);
  process.exitCode = await showDashboard(options);
`;
const env = { ...process.env, MOESTRO_HOME: cluster.directory, LANG: "C.UTF-8", TERM: "xterm" };
const node = (program: string, ...args: string[]) =>
  [process.execPath, "--input-type=module", "--eval", program, "--", ...args] as const;

/** What a process writes and how it ends: by itself, or by a signal once it wrote a text. */
async function run(
  command: readonly string[],
  end?: { after: string; signal: "SIGINT" | "SIGTERM" },
) {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let isAsked = false;
  let [text, errors] = ["", ""];
  child.stdout.on("data", (chunk) => {
    text += chunk;
    if (!end || isAsked || !text.includes(end.after)) return;
    isAsked = child.kill(end.signal);
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const [code] = await once(child, "close");
  return { code, text, errors };
}

function assertRestored(text: string): void {
  assert.ok(text.startsWith(`${ENTER_SCREEN}${HIDE_CURSOR}`));
  assert.ok(text.endsWith(`${SHOW_CURSOR}${LEAVE_SCREEN}`), JSON.stringify(text.slice(-200)));
}

test("in a real terminal the runs are drawn, and Ctrl-C typed there gives it back", async () => {
  const watch = node(COMMAND, "--coordinator", coordinator.address);
  const { code, text, errors } = await run([PYTHON, TYPE_CTRL_C, runId, ...watch]);
  assert.equal(code, 130, errors);
  assertRestored(text);
});

test("SIGTERM gives the terminal back", async () => {
  const { code, text } = await run(node(DASHBOARD), { after: runId, signal: "SIGTERM" });
  assert.equal(code, 130);
  assertRestored(text);
});

test("a coordinator that hangs keeps nobody from leaving", async () => {
  const hung = createServer();
  const sockets: Socket[] = [];
  hung.on("connection", (socket) => sockets.push(socket));
  await once(hung.listen(0, "127.0.0.1"), "listening");
  const { port } = hung.address() as AddressInfo;
  const watch = node(COMMAND, "--coordinator", `127.0.0.1:${port}`);
  const { code, errors } = await run([PYTHON, TYPE_CTRL_C, "it does not answer", ...watch]);
  for (const socket of sockets) socket.destroy();
  hung.close();
  assert.equal(code, 130, errors);
});

test("a crash gives the terminal back before it is told", async () => {
  const { code, text, errors } = await run(node(DASHBOARD, "crash"));
  assert.notEqual(code, 0);
  assertRestored(text);
  assert.match(errors, /a mistake/);
});

test("into a pipe a run is told line by line, without escapes", async () => {
  const watch = node(COMMAND, runId, "--coordinator", coordinator.address);
  const { code, text } = await run(watch, { after: "\n", signal: "SIGINT" });
  assert.equal(code, 130);
  assert.match(
    text,
    /^skywork-tiny-\S+: running \(all ranks stand, .*\): step 1\/300 {2}loss 4\.963 /,
  );
  assert.ok(!text.includes("\u001b"));
});

test("into a pipe a run is told to its end, and the exit code says which", async () => {
  const failed = await run(node(COMMAND, "broken-data", "--coordinator", coordinator.address));
  assert.equal(failed.code, 1);
  assert.match(failed.text, /^broken-data: failed \(data\.path: .*\)\n$/);
});

test("a run that does not exist is told in one line", async () => {
  const program = COMMAND.replace("await", "process.exitCode = await").replace(
    /;\s*$/,
    '.then(() => 0, (error) => { console.error(error.lines.join("\\n")); return error.exitCode; });',
  );
  const watch = node(program, "nothing", "--coordinator", coordinator.address);
  const { code, errors } = await run(watch);
  assert.equal(errors, "there is no run nothing; moestro list shows all\n");
  assert.equal(code, 2);
});
