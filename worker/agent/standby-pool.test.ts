import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { holderOf } from "../../coordinator/store/holder.ts";
import { RankLinks } from "./rank-links.ts";
import { StandbyPool } from "./standby-pool.ts";
import { childrenOf, until } from "./testing.ts";

let links: RankLinks;
let pool: StandbyPool<string>;
const noted: string[] = [];

const poolOf = (size: number, python = pythonExecutable()) =>
  new StandbyPool<string>({
    process: { python, links, numThreads: 1 },
    size,
    note: (line) => noted.push(line),
  });
const standbys = () =>
  childrenOf(process.pid).filter(({ command }) => command.includes("--standby"));

before(async () => {
  links = await RankLinks.open(tmpdir());
});
after(() => {
  pool.close();
  links.close();
});

test("as many as asked for come to stand by, one at a time", async () => {
  pool = poolOf(2);
  let most = 0;
  await until(() => {
    most = Math.max(most, standbys().length - pool.pids.length);
    return pool.pids.length === 2;
  });
  assert.equal(most, 1);
});

test("one that is killed is replaced", async () => {
  const [first = 0, second = 0] = pool.pids;
  process.kill(first, "SIGKILL");
  await until(() => pool.pids.length === 2 && !pool.pids.includes(first));
  assert.ok(pool.pids.includes(second));
});

test("nothing is imported beside ranks that start, and one in the middle of it is ended", async () => {
  const taken = pool.take();
  assert.ok(taken?.pid && holderOf(taken.pid));
  const [other = 0] = pool.pids;
  process.kill(other, "SIGKILL");
  const known = [taken.pid, other];
  const importing = await until(() => standbys().find(({ pid }) => !known.includes(pid)));
  pool.hold("r");
  await until(() => holderOf(importing.pid) === undefined);
  await sleep(300);
  assert.deepEqual(
    standbys().map(({ pid }) => pid),
    [taken.pid],
  );
  taken.kill(0);
  await taken.ended;
});

test("one whose end is not known yet is not handed out", async () => {
  const fresh = poolOf(1);
  await until(() => fresh.pids.length === 1);
  const [pid = 0] = fresh.pids;
  process.kill(pid, "SIGKILL");
  while (readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2] !== "Z");
  assert.equal(fresh.take(), undefined);
  fresh.close();
});

test("one that does not start is told of once, and not tried again and again", async () => {
  const broken = poolOf(1, "/bin/false");
  await until(() => noted.some((line) => line.includes("did not start")));
  await sleep(200);
  const told = noted.filter((line) => line.startsWith("a standby process did not start: "));
  assert.equal(told.length, 1);
  broken.close();
});
