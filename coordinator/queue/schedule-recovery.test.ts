import { agentWith, type Case, checkCases, on, placedRun, waitingRun } from "./queue-fixture.ts";

const CASES: Case[] = [
  [
    "a recovering run goes before the queued of its priority, and stays where it was",
    {
      waiting: [
        waitingRun("old", [4], { submittedAtMs: 0 }),
        waitingRun("back", [4], { isRecovering: true, previous: [on("b")] }),
      ],
      agents: [agentWith("b"), agentWith("c", { numSlots: 8 })],
    },
    ["start back 4: b0123", "start old 4: c0123"],
  ],
  [
    "a recovering run stays with the kind it had",
    {
      waiting: [
        waitingRun("x", [4], { isRecovering: true, previous: [on("a", [0, 1]), on("c", [0, 1])] }),
      ],
      agents: [agentWith("a"), agentWith("b", { accelerator: "H200" })],
    },
    ["start x 4: a0123"],
  ],
  [
    "a spare takes the place of the agent that is lost",
    {
      waiting: [
        waitingRun("x", [6], {
          isRecovering: true,
          previous: [on("a", [2, 3]), on("b", [1, 2]), on("c", [0, 1])],
        }),
      ],
      agents: [agentWith("a"), agentWith("b", { state: "lost" }), agentWith("c"), agentWith("d")],
    },
    ["start x 6: a0123 c01"],
  ],
  [
    "a recovering run that waits keeps its slots, and at once what is free",
    {
      waiting: [
        waitingRun("back", [8], { isRecovering: true, previous: [on("a"), on("b")] }),
        waitingRun("y", [1]),
      ],
      agents: [agentWith("a"), agentWith("b"), agentWith("c", { numSlots: 2 })],
      placed: [placedRun("p", [on("b", [1, 2, 3])])],
    },
    ["wait back", "wait y"],
    /behind run back/,
  ],
  [
    "others start beside it where what it lacks is given back",
    {
      waiting: [
        waitingRun("back", [8], { isRecovering: true, previous: [on("a"), on("b", [0])] }),
        waitingRun("y", [1]),
        waitingRun("z", [1]),
      ],
      agents: [agentWith("a"), agentWith("b"), agentWith("c", { numSlots: 1 })],
      placed: [placedRun("p", [on("b", [1, 2, 3])], { isLeaving: true })],
    },
    ["wait back", "start y 1: c0", "wait z"],
  ],
  [
    "even if the agents left cannot hold it, for a while",
    {
      waiting: [
        waitingRun("back", [8], { isRecovering: true, previous: [on("a"), on("b")] }),
        waitingRun("y", [6, 2]),
      ],
      agents: [agentWith("a"), agentWith("b", { state: "lost" }), agentWith("c", { numSlots: 2 })],
    },
    ["wait back", "start y 2: c01"],
  ],
  [
    "but not for ever",
    {
      waiting: [
        waitingRun("back", [8], {
          isRecovering: true,
          previous: [on("a"), on("b")],
          queuedSinceMs: 0,
        }),
        waitingRun("y", [6, 2]),
      ],
      agents: [agentWith("a"), agentWith("b", { state: "lost" }), agentWith("c", { numSlots: 2 })],
    },
    ["wait back", "start y 6: a0123 c01"],
  ],
  [
    "each recovering run has its own slots kept",
    {
      waiting: [
        waitingRun("lame", [16], { isRecovering: true, previous: [on("a")], submittedAtMs: 0 }),
        waitingRun("back", [4], { isRecovering: true, previous: [on("b")] }),
        waitingRun("y", [4]),
      ],
    },
    ["wait lame", "start back 4: b0123", "wait y"],
  ],
  [
    "of two recovering runs that are in each other's way one starts",
    {
      waiting: [
        waitingRun("first", [6], { isRecovering: true, previous: [on("a")], submittedAtMs: 0 }),
        waitingRun("second", [6], { isRecovering: true, previous: [on("b")] }),
      ],
    },
    ["start first 6: a0123 b01", "wait second"],
  ],
  [
    "a higher priority takes the slots of a recovering run only if it must",
    {
      waiting: [
        waitingRun("back", [4], { isRecovering: true, previous: [on("a")] }),
        waitingRun("high", [8, 4], { priority: 3 }),
      ],
    },
    ["start high 4: b0123", "start back 4: a0123"],
  ],
];

checkCases("recovering runs", CASES);
