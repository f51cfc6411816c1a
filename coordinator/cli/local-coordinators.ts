import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writePrivate } from "../rpc/authority.ts";
import { ensureDirectory, stateDirectory } from "../state-directory.ts";
import { currentHolder, isAlive } from "../store/holder.ts";

const entrySchema = z.object({
  address: z.string(),
  holder: z.object({ pid: z.number(), startedAt: z.string() }),
});

const folder = () => ensureDirectory(join(stateDirectory(), "coordinators"));

/** Lets commands on this machine find this process's coordinator; returns what undoes that. */
export function publishCoordinator(address: string): () => void {
  const path = join(folder(), `${process.pid}.json`);
  writePrivate(path, `${JSON.stringify({ address, holder: currentHolder() })}\n`);
  return () => rmSync(path, { force: true });
}

/** Addresses of the coordinators that run on this machine under this user. */
export function localCoordinators(): string[] {
  return readdirSync(folder())
    .filter((name) => name.endsWith(".json"))
    .map((name) => addressOf(join(folder(), name)))
    .filter((address) => address !== undefined);
}

/** Undefined, and removed, if the process that wrote the file has ended without doing so. */
function addressOf(path: string): string | undefined {
  try {
    const { address, holder } = entrySchema.parse(JSON.parse(readFileSync(path, "utf8")));
    if (isAlive(holder)) return address;
  } catch {
    // Damaged, or gone between the two looks.
  }
  rmSync(path, { force: true });
  return undefined;
}
