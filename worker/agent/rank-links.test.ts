import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { encodeFrame, FrameDecoder } from "../../proto/framing.ts";
import {
  type AgentToRank,
  AgentToRankSchema,
  RankHelloSchema,
  RankReadySchema,
  type RankToAgent,
  RankToAgentSchema,
  StopRequestSchema,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import { type RankLink, RankLinks } from "./rank-links.ts";

let links: RankLinks;
let link: RankLink;
let heard: (string | undefined)[];

beforeEach(async () => {
  heard = [];
  links = await RankLinks.open(tmpdir());
  link = links.expect("secret");
});
afterEach(() => links.close());

const frame = (message: RankToAgent["message"]) =>
  encodeFrame(RankToAgentSchema, create(RankToAgentSchema, { message }));
const hello = (token: string) =>
  frame({ case: "hello", value: create(RankHelloSchema, { token }) });
const ready = frame({ case: "ready", value: create(RankReadySchema, { nextStep: 1n }) });
const stop = (checkpoint: boolean): AgentToRank["message"] => ({
  case: "stop",
  value: create(StopRequestSchema, { checkpoint }),
});

/** Connects as a rank would; collects what the agent sends. */
function dial() {
  const received: AgentToRank[] = [];
  const decoder = new FrameDecoder(AgentToRankSchema);
  const socket: Socket = connect(links.path);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.on("data", (chunk) => received.push(...decoder.push(chunk)));
  return { socket, received, closed };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !condition(); tries += 1) await sleep(10);
  assert.ok(condition());
}

const listen = () => link.listen((message) => heard.push(message.case));

test("the socket lies in a folder that nobody else can enter, and goes with the links", () => {
  assert.equal(statSync(dirname(links.path)).mode & 0o777, 0o700);
  links.close();
  assert.ok(!existsSync(dirname(links.path)));
});

test("what is sent before a process connects waits for it, in order", async () => {
  link.send(stop(true));
  link.send(stop(false));
  assert.ok(!link.isConnected);
  const { socket, received } = dial();
  socket.write(hello("secret"));
  await until(() => link.isConnected);
  await until(() => received.length === 2);
  const flags = received.map(({ message }) => message.case === "stop" && message.value.checkpoint);
  assert.deepEqual(flags, [true, false]);
  socket.destroy();
});

test("what a process says waits for someone to listen, and its end is known to be drained", async () => {
  const { socket } = dial();
  socket.write(Buffer.concat([hello("secret"), ready]));
  await until(() => link.isConnected);
  socket.end(ready);
  await link.drained();
  assert.deepEqual(heard, []);
  listen();
  assert.deepEqual(heard, ["ready", "ready"]);
});

const INTRUDERS: [who: string, bytes: Buffer][] = [
  ["a process that is not one of those started", hello("guess")],
  ["one that does not say who it is", ready],
  ["one that speaks another language", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
];

for (const [who, bytes] of INTRUDERS) {
  test(`${who} is cut off and heard of by nobody`, async () => {
    listen();
    const { socket, closed } = dial();
    socket.write(bytes);
    await closed;
    assert.deepEqual(heard, []);
    assert.ok(!link.isConnected);
  });
}

test("a process whose end is known is not let in again", async () => {
  links.forget("secret");
  const { socket, closed } = dial();
  socket.write(hello("secret"));
  await closed;
});

test("a second process with the same secret is cut off, the first one stays", async () => {
  listen();
  const first = dial();
  first.socket.write(hello("secret"));
  await until(() => link.isConnected);
  const second = dial();
  second.socket.write(hello("secret"));
  await second.closed;
  first.socket.write(ready);
  await until(() => heard.length === 1);
  first.socket.destroy();
});
