import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sweepPrivateFolders } from "./private-folder.ts";
import { RankLinks } from "./rank-links.ts";

const scratch = mkdtempSync(join(tmpdir(), "moestro-scratch-"));
after(() => rmSync(scratch, { recursive: true }));

const MODULE = new URL("./rank-links.ts", import.meta.url).href;
/** An agent as far as its folder goes; prints where that is. */
const AGENT = `
  const { RankLinks } = await import(${JSON.stringify(MODULE)});
  console.log((await RankLinks.open(${JSON.stringify(scratch)})).directory);`;

test("the folder of an agent that was killed goes with the next one's start, those of others stay", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", AGENT], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const folder = String((await once(child.stdout, "data"))[0]).trim();
  const own = await RankLinks.open(scratch);
  const unknown = join(scratch, "ranks-unknown");
  mkdirSync(unknown);
  const elsewhere = join(scratch, "ranks-elsewhere");
  mkdirSync(elsewhere);
  const owner = { host: `not-${hostname()}`, pid: 1, startedAt: "long ago" };
  writeFileSync(join(elsewhere, "owner.json"), JSON.stringify(owner));

  await sweepPrivateFolders(scratch);
  for (const path of [folder, own.directory, unknown, elsewhere]) assert.ok(existsSync(path), path);

  child.kill("SIGKILL");
  await once(child, "close");
  await sweepPrivateFolders(scratch);
  assert.ok(!existsSync(folder));
  for (const path of [own.directory, unknown, elsewhere]) assert.ok(existsSync(path), path);
  own.close();
});

test("a folder whose socket is listened on stays, whoever its owner is said to be", async () => {
  const own = await RankLinks.open(scratch);
  const owner = { host: hostname(), pid: process.pid, startedAt: "in another container" };
  writeFileSync(join(own.directory, "owner.json"), JSON.stringify(owner));
  await sweepPrivateFolders(scratch);
  assert.ok(existsSync(own.directory));
  own.close();
});

test("a scratch folder that is not there has nothing to sweep", async () => {
  await sweepPrivateFolders(join(scratch, "nowhere"));
});
