import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { RankExitedSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import { PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { decide, type GenerationFacts } from "./policy.ts";

const plan = create(PlanSchema, {
  worldSize: 2,
  layout: { pipelineParallel: 2 },
  stages: [{ index: 0 }, { index: 1, pipelineRank: 1 }],
  prediction: { memoryBytes: [2e9, 1.5e9] },
});

type Exit = MessageInitShape<typeof RankExitedSchema>;

const finished = (rank: number, stoppedEarly = false): Exit => ({
  rank,
  exitCode: 0,
  finished: { lastStep: 9n, stoppedEarly },
});

const lostPeer = (rank: number): Exit => ({
  rank,
  exitCode: 1,
  failure: { message: "another rank has gone", lostPeer: true },
});

function facts(exits: Exit[], rest: Partial<GenerationFacts> = {}): GenerationFacts {
  const ended = exits.map((exit) => create(RankExitedSchema, exit));
  return {
    ...{ plan, lostAgents: [], agentsAway: [], hung: undefined, killRequested: false },
    ...rest,
    exits: ended,
  };
}

const CASES: [sentence: string, given: GenerationFacts, decision: string, reason: RegExp][] = [
  ["a run goes on while its ranks do", facts([]), "continue", /2 of 2 ranks run/],
  ["one rank that finished first is no failure", facts([finished(0)]), "continue", /1 of 2/],
  [
    "a run succeeds when all ranks have finished",
    facts([finished(0), finished(1)]),
    "succeed",
    /9/,
  ],
  [
    "a run that was asked to stop is stopped, not failed",
    facts([finished(1, true), finished(0, true)]),
    "stop",
    /after step 9, as asked/,
  ],
  [
    "a rank ended by a signal fails the run",
    facts([{ rank: 1, signal: "SIGKILL" }]),
    "fail",
    /rank 1 was ended by SIGKILL/,
  ],
  [
    "a rank of which nobody knows how it ended is told with what is known",
    facts([
      { rank: 1, failure: { message: "the process that starts ranks was ended by SIGKILL" } },
    ]),
    "fail",
    /^rank 1 ended: the process that starts ranks was ended by SIGKILL$/,
  ],
  [
    "a rank that may have been killed for its memory is told with what was predicted",
    facts([{ rank: 1, signal: "SIGKILL" }]),
    "fail",
    /SIGKILL, perhaps by the system because memory ran out; a peak of 1\.50 GB was predicted for its stage 1; lower .* or give cluster\.memoryLimit/,
  ],
  [
    "a rank out of memory outside of training is told with what was predicted",
    facts([
      { rank: 0, exitCode: 1, failure: { message: "OutOfMemoryError: CUDA out of memory." } },
    ]),
    "fail",
    /exit code 1: OutOfMemoryError: CUDA out of memory\.; a peak of 2\.00 GB was predicted for its stage 0; lower /,
  ],
  [
    "so is one that the CPU's allocator refuses",
    facts([
      { rank: 1, exitCode: 1, failure: { message: "DefaultCPUAllocator: can't allocate memory" } },
    ]),
    "fail",
    /can't allocate memory; a peak of 1\.50 GB was predicted for its stage 1; lower /,
  ],
  [
    "other failures say nothing of memory",
    facts([{ rank: 0, exitCode: 1, failure: { message: "loss is not a number" } }]),
    "fail",
    /exit code 1: loss is not a number$/,
  ],
  [
    "the killed rank is blamed though its peer was heard of first",
    facts([
      { rank: 0, exitCode: 1, failure: { message: "another rank has gone", lostPeer: true } },
      { rank: 1, signal: "SIGKILL" },
    ]),
    "fail",
    /rank 1 was ended by SIGKILL/,
  ],
  [
    "a rank's own failure is blamed before its peers' broken connections",
    facts([
      { rank: 0, exitCode: 1, failure: { message: "another rank has gone", lostPeer: true } },
      { rank: 1, exitCode: 1, failure: { message: "loss is not a number in step 3" } },
    ]),
    "fail",
    /loss is not a number/,
  ],
  [
    "a rank that was told to end from outside is blamed before its peers",
    facts([
      { rank: 0, exitCode: 1, failure: { message: "another rank has gone", lostPeer: true } },
      { rank: 1, signal: "SIGTERM" },
    ]),
    "fail",
    /rank 1 was ended by SIGTERM/,
  ],
  [
    "an exit with code 0 that was not announced is a failure",
    facts([{ rank: 0, exitCode: 0, stderrTail: ["something odd"] }]),
    "fail",
    /exit code 0: something odd/,
  ],
  [
    "an agent that is gone fails the run",
    facts([], { lostAgents: [{ agentId: "a", why: "agent a is lost: its connection broke" }] }),
    "fail",
    /^agent a is lost: its connection broke$/,
  ],
  [
    "ranks that end with an agent that leaves are its failure",
    facts([{ rank: 1, signal: "SIGTERM" }], {
      lostAgents: [{ agentId: "a", why: "agent a left: asked to end (SIGTERM)" }],
    }),
    "fail",
    /^agent a left: asked to end \(SIGTERM\)$/,
  ],
  [
    "an agent that is merely away is no failure",
    facts([], { agentsAway: ["a"] }),
    "continue",
    /2 of 2 ranks run/,
  ],
  [
    "one that is away while its ranks' peers lose them is gone",
    facts([lostPeer(1)], { agentsAway: ["a"] }),
    "fail",
    /agent a is gone: nothing is heard of it, and ranks of other nodes lost their connections/,
  ],
  [
    "a rank with a cause of its own explains more than an agent that is away",
    facts([{ rank: 1, signal: "SIGSEGV" }], { agentsAway: ["a"] }),
    "fail",
    /rank 1 was ended by SIGSEGV/,
  ],
  [
    "ranks that hang are given up",
    facts([], { hung: "the ranks hung: no step for 20 s" }),
    "fail",
    /no step for 20 s/,
  ],
  [
    "an agent that goes after all its ranks have finished does no harm",
    facts([finished(0), finished(1)], { lostAgents: [{ agentId: "a", why: "it left" }] }),
    "succeed",
    /all 9 steps/,
  ],
  [
    "ranks ended because a person would not wait are no failure",
    facts([{ rank: 0, signal: "SIGKILL" }], { killRequested: true }),
    "stop",
    /at once, as asked/,
  ],
];

for (const [sentence, given, decision, reason] of CASES) {
  test(sentence, () => {
    const decided = decide(given);
    assert.equal(decided.decision, decision, decided.reason);
    assert.match(decided.reason, reason);
  });
}

test("what lies in the user's own input is said in the rank's words and marked as such", () => {
  const message = "texts/: holds no text; give a folder with text files";
  const decided = decide(facts([{ rank: 0, exitCode: 2, failure: { message, userError: true } }]));
  assert.deepEqual(decided, { decision: "fail", reason: message, cause: "user" });
});

test("a rank that explains itself why its memory ran out is not explained once more", () => {
  // As out_of_memory.py of the engine writes it.
  const message =
    "rank 0, stage 0: out of memory, 3.10 GB at its peak, where the plan predicted 2.00 GB; give the stage " +
    "fewer layers, set layout.recompute to full, or lower training.microBatchSize";
  const decided = decide(facts([{ rank: 0, exitCode: 2, failure: { message, userError: true } }]));
  assert.equal(decided.reason, message);
});

test("the order in which exits are heard of does not change who is blamed for a signal", () => {
  const exits: Exit[] = [
    { rank: 0, exitCode: 1, failure: { message: "another rank has gone", lostPeer: true } },
    { rank: 1, signal: "SIGSEGV" },
    { rank: 2, exitCode: 1, failure: { message: "another rank has gone", lostPeer: true } },
    { rank: 3, exitCode: 143, signal: "SIGTERM" },
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(exits, { minLength: 4 }), (order) => {
      assert.match(
        decide(facts(order, { plan: create(PlanSchema, { worldSize: 4 }) })).reason,
        /rank 1 was ended by SIGSEGV/,
      );
    }),
  );
});
