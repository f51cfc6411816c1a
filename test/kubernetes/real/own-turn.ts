import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Waits until no other test file of this machine uses the API server, and keeps it from then on:
 * definitions are of the whole cluster. The turn ends with the process that has it, whatever
 * becomes of it: it is a socket that has no file, as Linux has them; elsewhere test files are to
 * be run one after the other.
 *
 * @returns ends the turn
 */
export async function ownTurn(url: string): Promise<() => void> {
  if (process.platform !== "linux") return () => {};
  const path = `\0moestro-test-${createHash("sha256").update(url).digest("hex")}`;
  for (;;) {
    const server = createServer();
    server.listen(path).unref();
    try {
      await once(server, "listening");
      const held = new Set<{ destroy(): void }>();
      server.on("connection", (waiting) => held.add(waiting.on("error", () => {})));
      return () => {
        server.close();
        for (const waiting of held) waiting.destroy();
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      const waiting = connect(path).on("error", () => {});
      await new Promise((resolve) => waiting.once("close", resolve));
    }
  }
}
