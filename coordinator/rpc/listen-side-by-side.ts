import { PortTakenError, type RpcServer } from "./server.ts";

/** Of free ports whose next one is taken, so many are tried. */
const MAX_TRIES = 10;

/**
 * Has `rpc` listen at a port, and `joining` at the next one. Any free port (0) is one that
 * has a free one behind it. Returns the first port.
 */
export async function listenSideBySide(
  rpc: Pick<RpcServer, "listen" | "unlisten">,
  joining: Pick<RpcServer, "listen">,
  { host, port }: { host: string; port: number },
): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const bound = await rpc.listen(host, port);
    try {
      await joining.listen(host, bound + 1);
      return bound;
    } catch (error) {
      const isOther = port === 0 && error instanceof PortTakenError && tries < MAX_TRIES;
      if (!isOther) throw error;
      rpc.unlisten(host, bound);
    }
  }
}
