import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cell, recovered } from "../cell.ts";
import { AGENT_IDS } from "../cluster.ts";
import { StrayAgent } from "../stray-agent.ts";

const NO_RESTART = { restarts: 0, counted: 0 } as const;
/** What becomes of a node says nothing of the run. */
const NOT_COUNTED = { restarts: 1, counted: 0 } as const;

/** Agents die, and with them their ranks; they are started again with what they have kept. */
function killed(name: string, numAgents: number): Cell {
  return {
    ...{ name, kind: "strict", ...NOT_COUNTED },
    strike: async ({ cluster, run, random }) => {
      const first = random.whole(0, AGENT_IDS.length - 1);
      const ids = AGENT_IDS.map((_, index) => AGENT_IDS[(first + index) % AGENT_IDS.length] ?? "");
      const victims = ids.slice(0, numAgents);
      const after = run.events.length;
      for (const id of victims) cluster.agent(id).signal("SIGKILL");
      await run.event("run.recovering", after);
      for (const id of victims) await cluster.startAgent(id);
      await recovered(run, after, /^agent n\d .*; a restart that does not count$/);
    },
  };
}

/** An agent that is stopped is silent, but its ranks go on. */
function stopped(name: string, forMs: number): Cell {
  return {
    ...{ name, kind: "free", ...NO_RESTART },
    strike: async ({ cluster, run, random }) => {
      const id = random.pick(AGENT_IDS);
      const after = run.events.length;
      cluster.agent(id).signal("SIGSTOP");
      await sleep(forMs);
      cluster.agent(id).signal("SIGCONT");
      await run.event("agent.silent", after, (one) => one.agent === id);
      await run.event("agent.present", after, (one) => one.agent === id);
    },
  };
}

/** An agent that is asked to end has its ranks write a checkpoint and go elsewhere first. */
const asked: Cell = {
  ...{ name: "agent-sigterm", kind: "strict", ...NOT_COUNTED },
  strike: async ({ cluster, run, random }) => {
    const id = random.pick(AGENT_IDS);
    const after = run.events.length;
    const { lastStep } = run;
    const agent = cluster.agent(id);
    agent.signal("SIGTERM");
    assert.equal(await agent.ended, 130);
    assert.match(agent.log, /asked to end \(SIGTERM\); asking for its 2 ranks to go elsewhere/);
    await cluster.startAgent(id);
    const queued = await run.event("run.queued", after);
    assert.match(queued.message, new RegExp(`agent ${id} leaves \\(asked to end \\(SIGTERM\\)\\)`));
    const { stepsLost } = await run.status();
    assert.equal(Number(stepsLost), 0, `steps behind step ${lastStep} were lost`);
  },
};

const sameTwice: Cell = {
  ...{ name: "same-agent-twice", kind: "strict", ...NO_RESTART },
  strike: async ({ cluster, random }) => {
    const id = random.pick(AGENT_IDS);
    const second = await cluster.startAgent(id, `second-${id}`);
    assert.equal(await second.ended, 1);
    assert.match(second.log, new RegExp(`agent ${id} is connected already, as process \\d+`));
    assert.ok(cluster.agent(id).isRunning);
  },
};

/** An agent that has no part in a run speaks for it: of this generation, of older and later ones. */
const stale: Cell = {
  ...{ name: "stale-messages", kind: "strict", ...NO_RESTART },
  strike: async ({ cluster, run }) => {
    const stray = await StrayAgent.connect(cluster);
    const { generation } = await run.status();
    for (const claimed of [generation - 1n, generation, generation + 1n]) {
      stray.report({ runId: run.id, generation: claimed, step: BigInt(run.lastStep + 1000) });
    }
    await stray.refused(3);
    await stray.close();
  },
};

export const agentCells: readonly Cell[] = [
  killed("agent-sigkill", 1),
  killed("two-nodes", 2),
  stopped("agent-sigstop", 8000),
  stopped("agent-sigstop-30", 30_000),
  asked,
  sameTwice,
  stale,
];
