import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { MoestroError } from "../errors.ts";
import { createAuthority, issue } from "./certificates.ts";
import { listenSideBySide } from "./listen-side-by-side.ts";
import { createRpcServer } from "./server.ts";

const HOST = "127.0.0.1";
const now = new Date();
const authority = await createAuthority(now);
const identity = await issue(authority, { name: "coordinator", hosts: [HOST] }, now);
const servers = [
  createRpcServer(authority, identity),
  createRpcServer(authority, identity),
] as const;
const other = createServer();
after(async () => {
  other.close();
  for (const server of servers) await server.close();
});

test("where the next port is taken, another free port is asked for, and the first let go", async () => {
  const [rpc, joining] = servers;
  const bound: number[] = [];
  const watched = {
    listen: async (host: string, port: number) => {
      const got = await rpc.listen(host, port);
      if (bound.push(got) === 1)
        await new Promise<void>((done) => other.listen(got + 1, HOST, done));
      return got;
    },
    unlisten: rpc.unlisten,
  };
  const port = await listenSideBySide(watched, joining, { host: HOST, port: 0 });
  assert.deepEqual([bound.length, bound[1]], [2, port]);
  const freed = createServer();
  await new Promise<void>((done) => freed.listen(bound[0], HOST, done));
  freed.close();
  const isSaid = (error: Error) =>
    error instanceof MoestroError && error.message.includes(`${port + 1}: another process listens`);
  await assert.rejects(listenSideBySide(rpc, joining, { host: HOST, port: port + 1 }), isSaid);
});

test("a port that was chosen is the only one that is tried, and so is a fault of another kind", async () => {
  let tries = 0;
  const rpc = { listen: async () => (tries += 1), unlisten: () => assert.fail() };
  const failing = async () => {
    throw new MoestroError("environment", "no such host");
  };
  await assert.rejects(
    listenSideBySide(rpc, { listen: failing }, { host: HOST, port: 0 }),
    /no such host/,
  );
  const { port } = other.address() as { port: number };
  const [, joining] = servers;
  const before = { listen: async () => port - 1, unlisten: () => assert.fail() };
  await assert.rejects(
    listenSideBySide(before, joining, { host: HOST, port: port - 1 }),
    /another process listens/,
  );
  assert.equal(tries, 1);
});
