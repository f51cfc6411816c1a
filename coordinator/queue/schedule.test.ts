import {
  agentWith,
  type Case,
  checkCases,
  MINUTE,
  NOW,
  on,
  placedRun,
  quota,
  waitingRun,
} from "./queue-fixture.ts";

const CASES: Case[] = [
  [
    "a run starts at the best of its sizes that fits",
    { waiting: [waitingRun("x", [16, 6, 8])] },
    ["start x 6: a0123 b01"],
    /^6 slots on 2 agents are free$/,
  ],
  [
    "a run starts whole or not at all",
    { waiting: [waitingRun("x", [8])], placed: [placedRun("p", [on("a", [0, 1])])] },
    ["wait x"],
    /^it needs 8 slots, and 6 are free$/,
  ],
  [
    "the higher priority goes first, then the earlier",
    {
      waiting: [
        waitingRun("late", [4]),
        waitingRun("early", [4], { submittedAtMs: 0 }),
        waitingRun("high", [4], { priority: 1 }),
      ],
    },
    ["start high 4: a0123", "start early 4: b0123", "wait late"],
  ],
  [
    "a later run starts in what the one ahead cannot use",
    {
      waiting: [waitingRun("big", [8], { priority: 1 }), waitingRun("small", [2])],
      placed: [placedRun("p", [on("a")], { priority: 1 })],
    },
    ["wait big", "start small 2: b01"],
    /^2 slots on 1 agent are free, which run big ahead of it cannot use yet$/,
  ],
  [
    "what is free is kept for one that has waited too long",
    {
      waiting: [
        waitingRun("big", [8], { queuedSinceMs: NOW - 11 * MINUTE }),
        waitingRun("small", [2]),
      ],
      placed: [placedRun("p", [on("a")])],
    },
    ["wait big", "wait small"],
    /^it needs 2 slots, behind run big, which waits since 1970-01-01 00:49 UTC$/,
  ],
  [
    "nothing is kept for one that the agents could never hold",
    {
      waiting: [waitingRun("big", [9], { queuedSinceMs: 0 }), waitingRun("small", [2])],
      placed: [placedRun("p", [on("a")])],
    },
    ["wait big", "start small 2: b01"],
  ],
  [
    "drained, silent and lost agents get nothing new",
    {
      waiting: [waitingRun("x", [1])],
      agents: [
        agentWith("a", { isDrained: true }),
        agentWith("b", { state: "silent" }),
        agentWith("c", { state: "lost" }),
      ],
    },
    ["wait x"],
    /^it needs 1 slot, and the agents that take runs have 0 in all$/,
  ],
  [
    "a run has one kind of accelerator",
    {
      waiting: [waitingRun("x", [6, 4])],
      agents: [agentWith("a"), agentWith("b", { accelerator: "H200" })],
    },
    ["start x 4: b0123"],
    /^4 slots on 1 agent with H200 are free$/,
  ],
  [
    "of two kinds the one with the most free is kept for a run that has waited too long",
    {
      waiting: [
        waitingRun("big", [4], { queuedSinceMs: 0 }),
        waitingRun("y", [1]),
        waitingRun("z", [1]),
      ],
      agents: [agentWith("a"), agentWith("b", { accelerator: "H200" })],
      placed: [placedRun("p", [on("a", [0])]), placedRun("q", [on("b", [0, 1, 2])])],
    },
    ["wait big", "start y 1: b3", "wait z"],
  ],
  [
    "a run without a legal size waits, and says so",
    { waiting: [waitingRun("x", [])] },
    ["wait x"],
    /legal/,
  ],
  [
    "an owner's quota is kept, by a smaller size if there is one",
    {
      waiting: [
        waitingRun("x", [8, 4]),
        waitingRun("y", [4]),
        waitingRun("z", [4], { owner: "carol" }),
      ],
      quotas: quota([["alice", 6]]),
    },
    ["start x 4: a0123", "wait y", "start z 4: b0123"],
  ],
  [
    "a quota that is used up is what a run waits for",
    {
      waiting: [waitingRun("x", [4])],
      placed: [placedRun("p", [on("a")], { owner: "alice" })],
      quotas: quota([["alice", 6]]),
    },
    ["wait x"],
    /^quota of alice: 4 of 6 slots are used or promised, and it needs 4 slots$/,
  ],
  [
    "so is the quota of all",
    {
      waiting: [waitingRun("x", [4])],
      placed: [placedRun("p", [on("a")])],
      quotas: quota([], 6),
    },
    ["wait x"],
    /^quota of all: 4 of 6 slots are used or promised/,
  ],
  [
    "one whose quota is too small for it keeps nothing from others",
    {
      waiting: [waitingRun("x", [8], { queuedSinceMs: 0 }), waitingRun("y", [2], { owner: "bob" })],
      quotas: quota([["alice", 6]]),
    },
    ["wait x", "start y 2: a01"],
  ],
  [
    "a promise counts against the quota",
    {
      waiting: [waitingRun("x", [4], { priority: 5 }), waitingRun("y", [2])],
      placed: [
        placedRun("going", [on("a")], { isLeaving: true }),
        placedRun("other", [on("b", [0, 1])]),
      ],
      quotas: quota([["alice", 5]]),
    },
    ["wait x", "wait y"],
    /^quota of alice: 4 of 5 slots are used or promised/,
  ],
];

checkCases("schedule", CASES);
