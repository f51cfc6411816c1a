import { join } from "node:path";
import { measureOther, type RankModule } from "./other-system.ts";
import type { RayPython } from "./ray-python.ts";
import { NUM_RANKS, type System } from "./setting.ts";
import { StampedProcess } from "./stamped-process.ts";

const DRIVER = join(import.meta.dirname, "ray_driver.py");

export function ray({ executable, version }: RayPython, rankModule: RankModule): System {
  return {
    rows: [
      {
        name: "Ray Train",
        what: `ray ${version}: TorchTrainer of ${NUM_RANKS} workers with FailureConfig, all else as it comes; its start is from fit() on a cluster that runs`,
      },
    ],
    round: (place, rank) =>
      measureOther(place, rank, {
        start: (folder, env) => {
          const args = [DRIVER, rankModule, folder, String(NUM_RANKS)];
          const environment = { ...env, RAY_USAGE_STATS_ENABLED: "0" };
          return new StampedProcess(executable, args, environment, place.directory);
        },
        askedAtMs: (driver) => {
          const [, atMs] = /^fit at ([\d.]+)$/.exec(driver.find(/^fit at /)?.text ?? "") ?? [];
          return atMs === undefined ? undefined : Number(atMs);
        },
        saysSo: /died|killed|RESTARTING/,
      }),
  };
}
