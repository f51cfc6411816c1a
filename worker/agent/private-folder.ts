import { mkdtempSync, writeFileSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { currentHolder, isAlive } from "../../coordinator/store/holder.ts";

const PREFIX = "ranks-";
const OWNER_FILE = "owner.json";
const SOCKET = "ranks.sock";

const ownerSchema = z.object({ host: z.string(), pid: z.number(), startedAt: z.string() });

/** A new folder in `scratch` that only this user can enter, and that says whose it is. */
export function makePrivateFolder(scratch: string): string {
  const folder = mkdtempSync(join(scratch, PREFIX));
  const owner = { host: hostname(), ...currentHolder() };
  writeFileSync(join(folder, OWNER_FILE), `${JSON.stringify(owner)}\n`);
  return folder;
}

/** Where the agent's ranks find it. */
export function socketIn(folder: string): string {
  return join(folder, SOCKET);
}

/** Removes the folders of agents that were killed before they could. */
export async function sweepPrivateFolders(scratch: string): Promise<void> {
  const names = await readdir(scratch).catch(() => []);
  for (const name of names) {
    const folder = join(scratch, name);
    if (!name.startsWith(PREFIX) || !(await isLeft(folder))) continue;
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/**
 * Whether its owner is gone: the process it names, and whoever listens on its socket. One
 * of the two alone may be mistaken, for `scratch` may be shared with other nodes, and with
 * containers that count their processes by themselves.
 */
async function isLeft(folder: string): Promise<boolean> {
  try {
    const owner = ownerSchema.parse(JSON.parse(await readFile(join(folder, OWNER_FILE), "utf8")));
    if (owner.host !== hostname() || isAlive(owner)) return false;
  } catch {
    // Another user's, or one that says nothing of its owner.
    return false;
  }
  return !(await isListening(socketIn(folder)));
}

/** Also if that cannot be told. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (isListening: boolean) => {
      socket.destroy();
      resolve(isListening);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", ({ code }: NodeJS.ErrnoException) =>
      settle(code !== "ECONNREFUSED" && code !== "ENOENT"),
    );
  });
}
