import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/moestro.mjs", import.meta.url));
const TYPE_CTRL_C = fileURLToPath(new URL("./type_ctrl_c.py", import.meta.url));
const PYTHON =
  process.env.MOESTRO_PYTHON ?? fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
const place = new Workplace();

before(() => {
  place.write(
    "job.yaml",
    tinyJob({
      training: tinyTraining(100_000),
      layout: { pipelineParallel: 2, tensorParallel: 1 },
      cluster: { ranks: 2, device: "cpu" },
    }),
  );
});
after(() => place.remove());

test("in a real terminal the view is drawn in place, and Ctrl-C typed there stops the run", async () => {
  const child = spawn(
    PYTHON,
    // Types Ctrl-C once the text is on the screen.
    [TYPE_CTRL_C, "step 3", process.execPath, LAUNCHER, "train", "job.yaml"],
    {
      cwd: place.directory,
      env: { ...process.env, MOESTRO_HOME: place.home, TERM: "xterm-256color", LANG: "C.UTF-8" },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let screen = "";
  child.stdout.on("data", (chunk) => {
    screen += chunk;
  });
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(exitCode, 130, screen.slice(-2000));
  assert.match(screen, /Plan for tiny/);
  assert.match(screen, /Ctrl-C/);
  assert.ok(screen.includes("\u001b[?25l"), "the cursor is hidden while drawing");
  assert.ok(
    screen.lastIndexOf("\u001b[?25h") > screen.lastIndexOf("\u001b[?25l"),
    "and comes back",
  );
  assert.match(screen, /stopped after step \d+, as asked/);
  await place.nothingLeft(5000);
});
