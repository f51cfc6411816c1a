import { randomBytes } from "node:crypto";
import { ApiServer, type Source } from "./api-server.ts";
import { givenServer } from "./real/given-server.ts";
import { startAssets } from "./real/start-assets.ts";
import { type StartOptions, startCluster } from "./start.ts";
import { whichServer } from "./which-server.ts";

export type OpenOptions = Pick<StartOptions, "bookmarkMs"> & {
  /** Made for the test, by names of `ownName`; the first is the kubeconfig's, or else `default`. */
  namespaces?: readonly string[];
};

/** A name that no other test has, for servers that others use, too. */
export function ownName(name: string): string {
  return `${name}-${randomBytes(3).toString("hex")}`;
}

/** The API server that tests run against: the stand-in, or a real one if there is one. */
export async function openCluster(options: OpenOptions = {}): Promise<ApiServer> {
  const { namespaces = [], ...others } = options;
  const server = await ApiServer.at(await sourceWith(others), namespaces[0] ?? "default");
  for (const name of namespaces) await server.makeNamespace(name);
  return server;
}

async function sourceWith(options: StartOptions): Promise<Source> {
  const server = whichServer();
  switch (server.kind) {
    case "given":
      return givenServer(server.kubeconfig);
    case "started":
      return startAssets(server.binaries);
    case "played": {
      const played = await startCluster(options);
      return { kubeconfig: played.kubeconfig, played, close: () => played.close() };
    }
  }
}
