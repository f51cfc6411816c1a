#!/usr/bin/env node
// Starts the CLI on the Node that npm ci pinned, whatever Node the machine has.
// Plain JavaScript without dependencies: it must run on Node 20.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = `${root}coordinator/cli/main.ts`;
const pinned = `${root}node_modules/node/bin/node`;
// Sources run as they are; what Node makes of them is kept, which halves the start.
const cache = process.env.NODE_COMPILE_CACHE ?? `${root}node_modules/.cache/compile`;

if (Number(process.versions.node.split(".")[0]) >= 24 && existsSync(`${root}node_modules/zod`)) {
  nodeModule.enableCompileCache?.(cache);
  // For the agent, which is a process of its own.
  process.env.NODE_COMPILE_CACHE = cache;
  const { run } = await import(cli);
  await run(process.argv.slice(2));
} else if (existsSync(pinned)) {
  // The IPC channel is how the CLI notices that this launcher was killed.
  const child = spawn(pinned, [cli, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  // A terminal sends Ctrl-C to the whole foreground group, so the child has it
  // already; a signal sent to this process alone is passed on.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("exit", (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else {
      process.exitCode = code ?? 1;
    }
  });
  child.on("error", (error) => {
    console.error(`moestro: cannot start ${pinned}: ${error.message}; run: npm run setup`);
    process.exitCode = 4;
  });
} else {
  console.error("moestro: packages are not installed; run: npm run setup");
  process.exitCode = 4;
}
