import type { Workplace } from "../../e2e/moestro.ts";
import type { Run } from "../../faults/run.ts";
import { withTraining, writtenAtMs } from "./moestro-cluster.ts";
import {
  kill,
  NUM_RANKS,
  STEPS_BEFORE_KILL,
  type System,
  type Times,
  writeJob,
} from "./setting.ts";

/** The cluster: a run of it loses a rank, and another right behind the recovery. */
export const moestro: System = {
  rows: [
    {
      name: "moestro",
      what: "moestro serve and four agents with two slots each; its start is from the submission to the cluster, which runs",
    },
    {
      name: "moestro, again at once",
      what: `the same cluster, a second rank killed ${STEPS_BEFORE_KILL} steps behind the first recovery`,
    },
  ],
  round: (place, rank) =>
    withTraining(place, {}, async ({ run, submittedAtMs }) => {
      const start = writtenAtMs(run.metrics[0]) - submittedAtMs;
      const first = await loseRank(run, rank);
      await run.advance(STEPS_BEFORE_KILL);
      return [{ start, ...first }, await loseRank(run, (rank + 1) % NUM_RANKS)];
    }),
};

const FIRST_WORDS = ["run.failing", "run.recovering"];

async function loseRank(run: Run, rank: number): Promise<Times> {
  const { length } = run.events;
  const killedAtMs = kill(run.pid(rank));
  const recovered = await run.event("run.recovered", length);
  // Ranks that all end by themselves need not be given up first.
  const said = run.events.slice(length).find(({ event }) => FIRST_WORDS.includes(event));
  const seconds = Object.entries(recovered.seconds as Record<string, number>);
  return {
    detect: writtenAtMs(said) - killedAtMs,
    word: said?.message ?? "",
    recover: writtenAtMs(recovered) - killedAtMs,
    stages: Object.fromEntries(seconds.map(([stage, length]) => [stage, length * 1000])),
  };
}

/** One command that starts all: nothing waits for it, as nothing waits for torchrun. */
export const moestroTrain: System = {
  rows: [
    {
      name: "moestro train",
      what: "the command on one machine: coordinator, agent and ranks start with it",
    },
  ],
  round: async (place: Workplace) => {
    const job = writeJob(place);
    const typedAtMs = Date.now();
    const command = place.start(["train", job, "--json"]);
    try {
      return [{ start: writtenAtMs(await command.step(1)) - typedAtMs }];
    } finally {
      command.signal("SIGINT");
      await command.ended;
      await place.nothingLeft(10_000);
    }
  },
};
