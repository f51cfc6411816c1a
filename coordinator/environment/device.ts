import { MoestroError } from "../errors.ts";
import { findGpus } from "./machine.ts";

/**
 * What ranks compute on: a GPU each if there are enough, unless the job says.
 * Throws MoestroError("environment") if the job asks for GPUs that are not there.
 */
export async function chooseDevice(cluster: {
  ranks: number;
  device: "auto" | "cpu" | "cuda";
}): Promise<"cpu" | "cuda"> {
  if (cluster.device === "cpu") return "cpu";
  const gpus = await findGpus();
  if (gpus.length >= cluster.ranks) return "cuda";
  if (cluster.device === "auto") return "cpu";
  throw new MoestroError(
    "environment",
    `cluster.device: cuda is asked for ${cluster.ranks} ranks and this machine has ${gpus.length} GPUs; lower cluster.ranks or use device: auto`,
  );
}
