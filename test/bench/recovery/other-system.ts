import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Workplace } from "../../e2e/moestro.ts";
import { until } from "../../faults/patience.ts";
import { rankEnvironment, startRanks } from "../start-ranks.ts";
import { kill, NUM_RANKS, STEPS_BEFORE_KILL, type Times, writeJob } from "./setting.ts";
import type { StampedProcess } from "./stamped-process.ts";
import { ToldSteps } from "./told-steps.ts";

/** The module beside this one that every rank runs. */
export type RankModule = "train_rank" | "bare_loop";

export type OtherSystem = {
  /** Starts the system with a folder that the ranks tell their steps in. */
  start(folder: string, env: NodeJS.ProcessEnv): StampedProcess;
  /** When it was asked for the ranks; undefined before. */
  askedAtMs(started: StampedProcess, spawnedAtMs: number): number | undefined;
  /** Its first word of a rank's death. */
  saysSo: RegExp;
};

/** Starts a system, kills a rank once it trains, and sees it train again. */
export async function measureOther(
  place: Workplace,
  rank: number,
  { start, askedAtMs, saysSo }: OtherSystem,
): Promise<readonly Times[]> {
  const folder = place.path("ranks");
  mkdirSync(folder);
  const { bytes } = await startRanks(writeJob(place), join(folder, "checkpoints"));
  writeFileSync(join(folder, "start.bin"), bytes);
  const steps = new ToldSteps(folder);
  const spawnedAtMs = Date.now();
  const system = start(folder, otherEnvironment(place));
  const wait = <Found>(what: string, find: () => Found | undefined | false) =>
    until(what, () => {
      if (!system.isRunning) throw new Error(`${what}: it ended before:\n${system.lastWords}`);
      return find();
    });
  try {
    const startedAtMs = await wait("first step", () => steps.firstStepAtMs(1));
    await wait("steady steps", () => steps.numSteps(1) >= STEPS_BEFORE_KILL);
    const killedAtMs = kill(steps.pid(rank));
    const recoveredAtMs = await wait("first new step", () => steps.firstStepAtMs(2));
    const said = await wait("word of the death", () => system.find(saysSo, killedAtMs));
    return [
      {
        start: startedAtMs - (askedAtMs(system, spawnedAtMs) ?? Number.NaN),
        detect: said.atMs - killedAtMs,
        word: said.text,
        recover: recoveredAtMs - killedAtMs,
      },
    ];
  } finally {
    await system.end();
  }
}

/** What an agent would give its ranks, and where the measured ranks' own code lies. */
function otherEnvironment(place: Workplace): NodeJS.ProcessEnv {
  const { PYTHONPATH, ...environment } = rankEnvironment(NUM_RANKS);
  return {
    ...environment,
    PYTHONPATH: `${PYTHONPATH}:${import.meta.dirname}`,
    MOESTRO_HOME: place.home,
    OPENBLAS_NUM_THREADS: "1",
    PYTHONUNBUFFERED: "1",
    GLOO_SOCKET_IFNAME: process.platform === "linux" ? "lo" : "lo0",
  };
}
