import { join } from "node:path";
import { pythonExecutable } from "../../../coordinator/environment/python.ts";
import { torchrunArguments } from "../start-ranks.ts";
import { measureOther, type RankModule } from "./other-system.ts";
import { NUM_RANKS, type System } from "./setting.ts";
import { StampedProcess } from "./stamped-process.ts";

const RANK = join(import.meta.dirname, "torchrun_rank.py");
const MAX_RESTARTS = 3;

export function torchrun(rankModule: RankModule): System {
  return {
    rows: [
      {
        name: "torchrun",
        what: `torchrun --standalone --nproc-per-node ${NUM_RANKS} --max-restarts ${MAX_RESTARTS}, all else as it comes; its start is from the command`,
      },
    ],
    round: (place, rank) =>
      measureOther(place, rank, {
        start: (folder, env) => {
          const restarts = `--max-restarts=${MAX_RESTARTS}`;
          const args = [...torchrunArguments(NUM_RANKS), restarts, RANK, rankModule, folder];
          return new StampedProcess(pythonExecutable(), args, env, place.directory);
        },
        askedAtMs: (_, spawnedAtMs) => spawnedAtMs,
        // Its agent's line of the rank that died, or of one that failed for that.
        saysSo: /failed \(exitcode: /,
      }),
  };
}
