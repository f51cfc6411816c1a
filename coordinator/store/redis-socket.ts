import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MoestroError } from "../errors.ts";
import { ensureDirectory } from "../state-directory.ts";

/** What fits into a socket's address on every system, its final zero included. */
const LONGEST_PATH_BYTES = 104;
/** A server that takes a connection and says nothing for so long is silent. */
const SILENCE_MS = 1000;

/**
 * up: it answers. loading: it reads its file. silent: somebody listens, and says
 * nothing. down: nobody listens.
 */
export type ServerState = "up" | "loading" | "silent" | "down";

/** Where the private server of a folder listens: in it, or in a short place if it lies too deep. */
export function socketPath(directory: string): string {
  const path = join(directory, "redis.sock");
  if (Buffer.byteLength(path) < LONGEST_PATH_BYTES) return path;
  const hash = createHash("sha256").update(directory).digest("hex").slice(0, 16);
  const short = ensureDirectory(join(tmpdir(), `moestro-${hash}`));
  // Everybody may write to the folder for temporary files, so this one may be a stranger's.
  const { uid, mode } = lstatSync(short);
  if (uid !== process.getuid?.() || (mode & 0o77) !== 0) {
    throw new MoestroError(
      "environment",
      `${short}: is not private to this user; remove it, or choose a state directory with a shorter path (MOESTRO_HOME)`,
    );
  }
  return join(short, "redis.sock");
}

/** Asks the server behind a socket for a sign of life. */
export function serverState(path: string): Promise<ServerState> {
  const socket = connect(path);
  return new Promise((resolve) => {
    const settle = (state: ServerState) => {
      socket.destroy();
      resolve(state);
    };
    socket.setTimeout(SILENCE_MS, () => settle("silent"));
    socket.once("connect", () => socket.write("PING\r\n"));
    socket.once("data", (data) => settle(data.includes("LOADING") ? "loading" : "up"));
    // A server that dies now is down in a moment; the next question tells.
    socket.once("end", () => settle("silent"));
    socket.once("error", ({ code }: NodeJS.ErrnoException) =>
      settle(code === "ECONNREFUSED" || code === "ENOENT" ? "down" : "silent"),
    );
  });
}
