import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { availableParallelism, totalmem } from "node:os";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { splitAddress } from "../../coordinator/rpc/address.ts";
import { type Inventory, InventorySchema } from "../../proto/gen/moestro/v1/agent_pb.js";

/** A driver that does not answer by then is left out. */
const TOOL_TIMEOUT_MS = 2000;

/** What this node has, as far as it says so soon. */
export async function takeInventory(): Promise<Inventory> {
  const [gpus, topology] = await Promise.all([
    nvidiaSmi(["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]),
    nvidiaSmi(["topo", "-m"]),
  ]);
  const accelerators = gpus.split("\n").flatMap((line) => {
    const [name, mebibytes] = line.split(", ");
    if (!name || !(Number(mebibytes) > 0)) return [];
    return [{ name, memoryBytes: BigInt(Number(mebibytes)) * 1024n * 1024n }];
  });
  return create(InventorySchema, {
    accelerators,
    numCpus: availableParallelism(),
    memoryBytes: BigInt(totalmem()),
    topology: accelerators.length > 0 ? topology : "",
  });
}

/** Ranks a node has room for when nobody says: one a GPU, else one a processor. */
export function defaultSlots({ accelerators, numCpus }: Inventory): number {
  return accelerators.length > 0 ? accelerators.length : Math.max(1, numCpus);
}

/** This node's own address that connections to a coordinator come from, if there is a way. Sends nothing. */
export async function addressTowards(coordinator: string): Promise<string | undefined> {
  const { host, port } = splitAddress(coordinator);
  for (const type of ["udp4", "udp6"] as const) {
    const socket = createSocket(type);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        // The types leave out that a failure comes this way too.
        const connected = (error?: Error) => (error ? reject(error) : resolve());
        socket.connect(port, host, connected);
      });
      return socket.address().address;
    } catch {
      // Of the other family, or unknown for now.
    } finally {
      socket.close();
    }
  }
  return undefined;
}

/** What the tool prints; empty where it is not, or does not answer. */
async function nvidiaSmi(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)("nvidia-smi", [...args], {
      timeout: TOOL_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    return stdout.trim();
  } catch {
    return "";
  }
}
