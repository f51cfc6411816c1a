import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AgentFacts, HEALTH_OPTIONS, judgeAgent } from "./agent-health.ts";

const NOW = 100_000;
const base: AgentFacts = {
  agentId: "b",
  connected: false,
  heardAtMs: NOW - 4000,
  probes: [{ by: "a", atMs: NOW - 500, answered: false, connected: false }],
  wasReached: true,
  wasHere: true,
  progressAtMs: 0,
  gone: undefined,
  numPeers: 1,
  numSilentPeers: 0,
};

const CASES: [sentence: string, facts: Partial<AgentFacts>, verdict: string, reason: RegExp][] = [
  ["an agent that was just heard of is there", { connected: true, heardAtMs: NOW }, "present", /./],
  [
    "one that is neither heard of nor reached by its peers is lost",
    {},
    "lost",
    /agent b is lost: its connection is gone for 4\.0 s, and agent a cannot reach it either/,
  ],
  [
    "one whose pod is gone is lost, whether or not there is somebody to ask",
    { gone: "its pod is gone", probes: [], numPeers: 0 },
    "lost",
    /^agent b is lost: its connection is gone for 4\.0 s, and its pod is gone$/,
  ],
  [
    "but not at once, for it may have been heard of elsewhere",
    { gone: "its pod is gone", probes: [], heardAtMs: NOW - 2500 },
    "silent",
    /its peers are being asked/,
  ],
  [
    "and not while its ranks go on",
    { gone: "its pod is gone", probes: [], progressAtMs: NOW - 100 },
    "silent",
    /its ranks take part in steps/,
  ],
  [
    "a hung connection alone is no proof",
    { connected: true, probes: [] },
    "silent",
    /nothing is heard of it for 4\.0 s; its peers have not answered yet/,
  ],
  [
    "one that a peer reaches has lost its connection, not its ranks",
    { probes: [{ by: "a", atMs: NOW - 500, answered: true, connected: true }] },
    "silent",
    /agent a reaches it/,
  ],
  [
    "a stopped agent whose ranks go on is left alone",
    { progressAtMs: NOW - 100 },
    "silent",
    /its ranks take part in steps/,
  ],
  [
    "what was answered before it fell silent says nothing",
    {
      probes: [{ by: "a", atMs: NOW - 5000, answered: true, connected: true }, ...base.probes],
    },
    "lost",
    /lost/,
  ],
  [
    "a machine that takes connections is there: its agent may be stopped",
    { probes: [{ by: "a", atMs: NOW - 500, answered: false, connected: true }] },
    "silent",
    /its machine answers agent a, so it may be stopped: its ranks are left alone for 90 s/,
  ],
  [
    "but not for ever",
    {
      heardAtMs: NOW - 91_000,
      probes: [{ by: "a", atMs: NOW - 500, answered: false, connected: true }],
    },
    "lost",
    /agent a cannot reach it either/,
  ],
  [
    "where no peer could ever reach it, that none can says little",
    { wasReached: false },
    "silent",
    /no other agent ever reached its probe port/,
  ],
  [
    "one that a new coordinator waits for in vain is lost",
    { wasHere: false, wasReached: false, probes: [], heardAtMs: NOW - 91_000 },
    "lost",
    /it has not come in 91\.0 s, and another one has/,
  ],
  ["nobody is lost within the first seconds", { heardAtMs: NOW - 2000 }, "silent", /being asked/],
  [
    "one without peers is never lost: there is no second sign",
    { numPeers: 0, probes: [], heardAtMs: NOW - 60_000 },
    "silent",
    /there is no other agent to ask, so the fault may be here/,
  ],
  [
    "where all are silent the fault may be here",
    { numPeers: 0, numSilentPeers: 3, probes: [], heardAtMs: NOW - 60_000 },
    "silent",
    /the fault may be here/,
  ],
];

for (const [sentence, facts, verdict, reason] of CASES) {
  test(sentence, () => {
    const told = judgeAgent(NOW, { ...base, ...facts });
    assert.equal(told.verdict, verdict, told.reason);
    assert.match(told.reason, reason);
  });
}

test("no agent is lost that a peer reaches, or whose ranks make steps", () => {
  fc.assert(
    fc.property(
      fc.record({
        connected: fc.boolean(),
        heardAtMs: fc.integer({ min: 0, max: NOW }),
        probes: fc.array(
          fc.record({
            by: fc.constantFrom("a", "c"),
            atMs: fc.integer({ min: 0, max: NOW }),
            answered: fc.boolean(),
            connected: fc.boolean(),
          }),
        ),
        wasReached: fc.boolean(),
        wasHere: fc.boolean(),
        progressAtMs: fc.integer({ min: 0, max: NOW }),
        gone: fc.constantFrom(undefined, "its pod is gone"),
        numPeers: fc.integer({ min: 0, max: 3 }),
        numSilentPeers: fc.integer({ min: 0, max: 3 }),
      }),
      (facts) => {
        facts.probes.sort((a, b) => a.atMs - b.atMs);
        const { verdict } = judgeAgent(NOW, { agentId: "b", ...facts });
        if (verdict !== "lost") return;
        const recent = (atMs: number) => NOW - atMs < HEALTH_OPTIONS.lostAfterMs;
        assert.ok(!facts.probes.some((one) => one.answered && recent(one.atMs)));
        assert.ok(!(recent(facts.progressAtMs) && facts.progressAtMs > facts.heardAtMs));
        const { lostAfterMs, stoppedAfterMs } = HEALTH_OPTIONS;
        const since = facts.probes.filter(({ atMs }) => atMs >= facts.heardAtMs);
        const refusals = since.slice(since.findLastIndex(({ answered }) => answered) + 1);
        const isUp = refusals.some(({ connected }) => connected);
        const isSure = facts.gone !== undefined || (facts.wasReached && !isUp);
        assert.ok(NOW - facts.heardAtMs >= (isSure ? lostAfterMs : stoppedAfterMs));
      },
    ),
  );
});
