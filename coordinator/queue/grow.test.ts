import {
  agentWith,
  type Case,
  checkCases,
  on,
  placedRun,
  quota,
  sizesOf,
  waitingRun,
} from "./queue-fixture.ts";

const CASES: Case[] = [
  [
    "an elastic run grows where nobody waits, beside where it is",
    {
      placed: [placedRun("x", [on("a", [1, 2])], { sizes: sizesOf([16, 6, 2, 1]) })],
    },
    ["grow x 6: a0123 b01"],
    /^no run waits for what is free, and 6 ranks take shorter steps than 2$/,
  ],
  [
    "slots that a run leaves as it grows are its own until then",
    {
      agents: [agentWith("a", { numSlots: 1 }), agentWith("b"), agentWith("c", { numSlots: 1 })],
      placed: [
        placedRun("x", [on("a", [0])], { sizes: [{ numRanks: 4, tensorParallel: 2 }] }),
        placedRun("z", [on("c", [0])], { sizes: sizesOf([2, 1]) }),
      ],
    },
    ["grow x 4: b0123"],
  ],
  [
    "it does not grow into what a queued run waits for",
    {
      waiting: [waitingRun("big", [8])],
      placed: [placedRun("x", [on("a", [1, 2])], { sizes: sizesOf([6, 2]) })],
    },
    ["wait big"],
  ],
  [
    "a run that waits for its quota hinders no growth, and growth keeps quotas",
    {
      waiting: [waitingRun("y", [4])],
      placed: [
        placedRun("x", [on("a", [1, 2])], { owner: "alice", sizes: sizesOf([8, 4, 2]) }),
        placedRun("z", [on("b", [0])], { sizes: sizesOf([8, 4, 2]) }),
      ],
      quotas: quota([
        ["alice", 4],
        ["bob", 1],
      ]),
    },
    ["wait y", "grow x 4: a0123"],
  ],
];

checkCases("growth", CASES);
