import {
  agentWith,
  type Case,
  checkCases,
  on,
  placedRun,
  quota,
  waitingRun,
} from "./queue-fixture.ts";

const CASES: Case[] = [
  [
    "the youngest of the lowest priority is preempted, and no more than needed",
    {
      waiting: [waitingRun("x", [8, 4], { priority: 5 })],
      placed: [
        placedRun("old", [on("a", [0, 1])]),
        placedRun("young", [on("a", [2, 3])], { startedAtMs: 9 }),
        placedRun("middle", [on("b", [0, 1, 2])], { startedAtMs: 5 }),
        placedRun("high", [on("b", [3])], { priority: 1, startedAtMs: 50 }),
      ],
    },
    ["preempt young for x", "preempt middle for x", "wait x"],
    /^it needs 4 slots, for which runs young and middle will be suspended$/,
  ],
  [
    "one large victim is enough where the first small one turns out needless",
    {
      waiting: [waitingRun("x", [4], { priority: 5 })],
      placed: [
        placedRun("small", [on("a", [0])], { startedAtMs: 9 }),
        placedRun("large", [on("b")]),
        placedRun("high", [on("a", [1, 2, 3])], { priority: 5 }),
      ],
    },
    ["preempt large for x", "wait x"],
  ],
  [
    "nobody is preempted in vain, or for the same priority",
    {
      waiting: [waitingRun("x", [8], { priority: 5 })],
      placed: [placedRun("low", [on("a")]), placedRun("same", [on("b")], { priority: 5 })],
    },
    ["wait x"],
  ],
  [
    "slots on a drained agent are no reason to preempt",
    {
      waiting: [waitingRun("x", [4], { priority: 5 })],
      placed: [placedRun("low", [on("a")]), placedRun("same", [on("b")], { priority: 5 })],
      agents: [agentWith("a", { isDrained: true }), agentWith("b")],
    },
    ["wait x"],
  ],
  [
    "of two kinds the one whose runs matter least is preempted",
    {
      waiting: [waitingRun("x", [4], { priority: 5 })],
      agents: [agentWith("a"), agentWith("b", { accelerator: "H200" })],
      placed: [
        placedRun("less", [on("a")], { startedAtMs: 0 }),
        placedRun("more", [on("b")], { priority: 1, startedAtMs: 9 }),
      ],
    },
    ["preempt less for x", "wait x"],
  ],
  [
    "while a run gives its slots back nobody else is preempted, and nobody takes what is free",
    {
      waiting: [waitingRun("x", [6], { priority: 5 }), waitingRun("y", [2])],
      placed: [
        placedRun("going", [on("a")], { isLeaving: true }),
        placedRun("other", [on("b", [0, 1])]),
      ],
    },
    ["wait x", "wait y"],
    /^it needs 2 slots, behind run x/,
  ],
  [
    "others start in what is free where all that is promised is given back anyway",
    {
      waiting: [waitingRun("x", [4], { priority: 5 }), waitingRun("y", [2])],
      placed: [
        placedRun("going", [on("a")], { isLeaving: true }),
        placedRun("other", [on("b", [0, 1])]),
      ],
    },
    ["wait x", "start y 2: b23"],
  ],
  [
    "also where a victim gives all of it",
    {
      waiting: [waitingRun("x", [4], { priority: 5 }), waitingRun("y", [2])],
      placed: [placedRun("p", [on("a")]), placedRun("q", [on("b", [0, 1])], { priority: 5 })],
    },
    ["preempt p for x", "wait x", "start y 2: b23"],
  ],
  [
    "a run of the owner's own of lower priority is preempted for the quota",
    {
      waiting: [waitingRun("x", [4], { priority: 1 })],
      placed: [
        placedRun("bobs", [on("a", [0, 1])]),
        placedRun("own", [on("a", [2, 3])], { owner: "alice", startedAtMs: 0 }),
      ],
      quotas: quota([["alice", 4]]),
    },
    ["preempt own for x", "wait x"],
  ],
  [
    "what one victim frees of the quota of all is not asked of another",
    {
      waiting: [waitingRun("x", [2], { priority: 5 }), waitingRun("y", [2], { priority: 4 })],
      placed: [
        placedRun("first", [on("a", [0, 1])], { startedAtMs: 9 }),
        placedRun("second", [on("a", [2, 3])], { startedAtMs: 8 }),
        placedRun("third", [on("b", [0, 1])], { startedAtMs: 7 }),
      ],
      quotas: quota([], 6),
    },
    ["preempt first for x", "wait x", "preempt second for y", "wait y"],
  ],
];

checkCases("preemption", CASES);
