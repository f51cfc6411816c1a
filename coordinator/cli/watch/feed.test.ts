import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { MoestroError } from "../../errors.ts";
import { Feed } from "./feed.ts";
import { EVENTS, runningAt } from "./fixture.ts";
import { openCluster } from "./fixture-coordinator.ts";
import { initialWatch, openRun, type WatchState, withUpdate } from "./watch-state.ts";

const { runId } = runningAt(1);
const cluster = await openCluster();
after(() => cluster.close());

/** A feed of these coordinators, and the state it leads to. */
function watch(addresses: readonly string[], open?: string) {
  let state = initialWatch(0);
  if (open !== undefined) state = openRun(state, open);
  let changed = Promise.withResolvers<void>();
  const feed = new Feed({
    coordinators: async () => ({ addresses, material: cluster.material }),
    update: (update) => {
      state = withUpdate(state, update);
      changed.resolve();
      changed = Promise.withResolvers();
    },
  });
  feed.follow(open);
  const ended = feed.run();
  ended.catch(() => {});
  return {
    feed,
    ended,
    async until(isSo: (state: WatchState) => boolean) {
      while (!isSo(state)) await changed.promise;
      return state;
    },
    async [Symbol.asyncDispose]() {
      feed.stop();
      await ended.catch(() => {});
    },
  };
}

const isAt = (address: string) => (state: WatchState) =>
  state.link.phase === "connected" && state.link.address === address;

test("runs, agents, the open run's status and its events come in", async () => {
  const one = await cluster.start();
  await using watcher = watch([one.address], runId);
  const state = await watcher.until(
    ({ open, agents }) => open?.events.length === EVENTS.length && agents.length > 0,
  );
  assert.equal(state.runs.length, 6);
  assert.equal(state.open?.status?.runId, runId);
  assert.deepEqual(state.open?.events, EVENTS);
  await one.close();
});

test("a coordinator that dies is told, and found again with its events, told once", async () => {
  const one = await cluster.start();
  await using watcher = watch([one.address], runId);
  await watcher.until(({ open }) => open?.events.length === EVENTS.length);
  await one.close();
  const away = await watcher.until(({ link }) => link.phase === "away");
  assert.match(away.link.phase === "away" ? away.link.why : "", /no coordinator answers there/);
  assert.equal(away.open?.status?.runId, runId, "what was known is still shown");
  let step = 1;
  const again = await cluster.start({ port: one.port, step: () => step });
  await watcher.until(isAt(one.address));
  step = 2;
  const back = await watcher.until(({ open }) => open?.status?.step === 2n);
  assert.equal(back.open?.events.length, EVENTS.length);
  await again.close();
});

test("of several coordinators the one that leads is watched, and its successor after it", async () => {
  let leader = 0;
  const one = await cluster.start({ leads: () => leader === 1 });
  const two = await cluster.start({ leads: () => leader === 2 });
  leader = 2;
  await using watcher = watch(["127.0.0.1:1", one.address, two.address]);
  await watcher.until(isAt(two.address));
  leader = 1;
  const state = await watcher.until(isAt(one.address));
  assert.equal(state.runs.length, 6);
  await watcher.until(({ agents }) => agents.length === 4);
  await Promise.all([one.close(), two.close()]);
});

test("a coordinator that hangs holds up nobody, and is told of where there is no other", async () => {
  const hung = createServer();
  await new Promise<void>((resolve) => hung.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(hung.address() as AddressInfo).port}`;
  const sockets: Socket[] = [];
  hung.on("connection", (socket) => sockets.push(socket));
  const one = await cluster.start();
  {
    await using watcher = watch([address, one.address]);
    await watcher.until(isAt(one.address));
    await using alone = watch([address]);
    const { link } = await alone.until((state) => state.link.phase === "away");
    assert.equal(link.phase === "away" && link.why, `${address}: it does not answer`);
  }
  await one.close();
  for (const socket of sockets) socket.destroy();
  hung.close();
});

test("while nobody leads, one that stands by shows its runs", async () => {
  const one = await cluster.start({ leads: () => false });
  await using watcher = watch([one.address]);
  const state = await watcher.until(({ agentsProblem }) => agentsProblem !== undefined);
  assert.equal(state.agentsProblem, `${one.address} is not leading`);
  assert.equal(state.runs.length, 6);
  await one.close();
});

test("a run that does not exist is said not to", async () => {
  const one = await cluster.start();
  await using watcher = watch([one.address], "nothing");
  const state = await watcher.until(({ open }) => open?.problem !== undefined);
  assert.equal(state.open?.problem, "there is no run nothing; moestro list shows all");
  await one.close();
});

test("where no coordinator is known, or the caller is refused, nothing is tried again", async () => {
  const unknown = new MoestroError("environment", "no coordinator is known here");
  const feed = new Feed({
    coordinators: async () => {
      throw unknown;
    },
    update: () => {},
  });
  await assert.rejects(feed.run(), unknown);
});
