import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { MoestroError } from "../errors.ts";
import { createHttpServer } from "./http.ts";
import { Metrics } from "./metrics.ts";

let why: string | undefined;
const server = createHttpServer({ metrics: new Metrics(), notReady: () => why });
let port: number;
let base: string;

before(async () => {
  port = await server.listen("127.0.0.1", 0);
  base = `http://127.0.0.1:${port}`;
});
after(() => server.close());

test("/livez answers whatever else is wrong, /readyz says what it is", async () => {
  why = "the store is out of reach: connection refused";
  const ready = await fetch(`${base}/readyz`);
  assert.equal(ready.status, 503);
  assert.equal(await ready.text(), "the store is out of reach: connection refused\n");
  assert.equal((await fetch(`${base}/livez`)).status, 200);
  why = undefined;
  assert.equal((await fetch(`${base}/readyz?verbose`)).status, 200);
});

test("/metrics is Prometheus' text, with a length on HEAD and nothing behind it", async () => {
  const scraped = await fetch(`${base}/metrics`);
  assert.match(scraped.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(await scraped.text(), /^moestro_leader 0$/m);
  const head = await fetch(`${base}/metrics`, { method: "HEAD" });
  assert.ok(Number(head.headers.get("content-length")) > 1000);
  assert.equal(await head.text(), "");
});

test("metrics that cannot be put together are an answer, not a crash", async () => {
  const metrics = new Metrics();
  metrics.observe(() => {
    throw new Error("no state");
  });
  const broken = createHttpServer({ metrics, notReady: () => undefined });
  const at = await broken.listen("127.0.0.1", 0);
  const answer = await fetch(`http://127.0.0.1:${at}/metrics`);
  assert.equal(answer.status, 500);
  assert.equal(await answer.text(), "metrics: no state\n");
  await broken.close();
});

test("other paths are not found, other methods not served", async () => {
  assert.equal((await fetch(`${base}/`)).status, 404);
  const posted = await fetch(`${base}/metrics`, { method: "POST", body: "x" });
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
});

test("headers beyond the limit are refused", async () => {
  const answer = await speak(`GET /livez HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(10_000)}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 431 /);
});

test("a request that never ends is answered with a time-out", async () => {
  assert.match(await speak("GET /livez HTTP/1.1\r\nhost: x\r\n"), /^HTTP\/1\.1 408 /);
});

test("a port that is taken is told in one line", async () => {
  const second = createHttpServer({ metrics: new Metrics(), notReady: () => undefined });
  await assert.rejects(second.listen("127.0.0.1", port), (error) => {
    assert.ok(error instanceof MoestroError);
    assert.equal(
      error.message,
      `--http 127.0.0.1:${port}: another process listens on it; choose another port, or 0 for any free one`,
    );
    return true;
  });
});

function speak(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let heard = "";
    socket.on("data", (chunk) => {
      heard += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(heard));
  });
}
