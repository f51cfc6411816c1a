import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, it } from "node:test";
import { ApiServer } from "../api-server.ts";
import { startAssets } from "./start-assets.ts";

/** What both programs of the tests begin with: their flags. */
const FLAGS = `
const flags = Object.fromEntries(process.argv.slice(2).map((arg) => arg.slice(2).split(/=(.*)/s)));
const fs = require("node:fs");
process.on("SIGTERM", () => { fs.appendFileSync(__dirname + "/ended", NAME + " "); process.exit(0); });
`;
const ETCD = `const NAME = "etcd"; ${FLAGS}
fs.mkdirSync(flags["data-dir"]);
const { port, hostname } = new URL(flags["listen-client-urls"]);
require("node:http").createServer((_, answer) => answer.end()).listen(Number(port), hostname);
`;
/** Is ready once etcd answers and it has every file; knows whom the token file names. */
const API_SERVER = `const NAME = "kube-apiserver"; ${FLAGS}
const file = (flag) => fs.readFileSync(flags[flag], "utf8");
const [token, , , groups] = file("token-auth-file").trim().split(",");
const { createPrivateKey, createPublicKey } = require("node:crypto");
const own = createPublicKey(createPrivateKey(file("service-account-signing-key-file")));
if (!own.equals(createPublicKey(file("service-account-key-file")))) throw new Error("two keys");
if (groups !== '"system:masters"') throw new Error("no admin");
const tls = { cert: file("tls-cert-file"), key: file("tls-private-key-file") };
require("node:https").createServer(tls, async (request, answer) => {
  const isKnown = request.headers.authorization === "Bearer " + token;
  const isUp = await fetch(flags["etcd-servers"]).then(() => true, () => false);
  answer.writeHead(isKnown ? (isUp ? 200 : 500) : 401).end();
}).listen(Number(flags["secure-port"]), flags["bind-address"]);
`;

let binaries: string;
beforeEach(() => {
  binaries = mkdtempSync(join(tmpdir(), "moestro-assets-"));
  program("etcd", ETCD);
  program("kube-apiserver", API_SERVER);
});
afterEach(() => rmSync(binaries, { recursive: true }));

function program(name: string, source: string): void {
  writeFileSync(join(binaries, name), `#!${process.execPath}\n${source}`);
  chmodSync(join(binaries, name), 0o755);
}

const ended = () => readFileSync(join(binaries, "ended"), "utf8").trim().split(" ");

it("an API server on its own etcd is ready, knows its admin, and is ended before etcd", async () => {
  const started = await startAssets(binaries);
  const server = await ApiServer.at(started, "default");
  assert.equal((await server.request("GET", "/api")).code, 200);
  assert.equal((await server.request("GET", "/api", undefined, { token: "other" })).code, 401);
  await server.close();
  assert.deepEqual(ended(), ["kube-apiserver", "etcd"]);
  assert.equal(existsSync(started.kubeconfig), false);
});

it("a program that ends by itself is told with what it said, and the other one ends", async () => {
  program("kube-apiserver", 'console.error("unknown flag: --x"); process.exit(1);');
  await assert.rejects(startAssets(binaries), {
    message: "KUBEBUILDER_ASSETS: kube-apiserver ended with 1: unknown flag: --x",
  });
  assert.deepEqual(ended(), ["etcd"]);
});

it("a folder without the programs is told", async () => {
  rmSync(join(binaries, "etcd"));
  await assert.rejects(startAssets(binaries), /^Error: KUBEBUILDER_ASSETS: spawn .*etcd ENOENT$/);
});
