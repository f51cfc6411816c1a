import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { promisify } from "node:util";

export type Gpu = { name: string; memoryBytes: number };

export type Machine = {
  cpus: number;
  memoryBytes: number;
  freeDiskBytes: number;
  gpus: Gpu[];
};

/** What this machine has; `directory` says which disk is meant. */
export async function inspectMachine(directory: string): Promise<Machine> {
  const disk = await statfs(directory);
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    freeDiskBytes: disk.bavail * disk.bsize,
    gpus: await findGpus(),
  };
}

/** GPUs as NVIDIA's own tool lists them; none where it is not installed. */
export async function findGpus(): Promise<Gpu[]> {
  const args = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
  try {
    const { stdout } = await promisify(execFile)("nvidia-smi", args, { timeout: 10_000 });
    return stdout
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [name = "", mebibytes = "0"] = line.split(", ");
        return { name, memoryBytes: Number(mebibytes) * 1024 * 1024 };
      });
  } catch {
    return [];
  }
}
