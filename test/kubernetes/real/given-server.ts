import { KubeConfig } from "@kubernetes/client-node";
import type { Source } from "../api-server.ts";
import { ownTurn } from "./own-turn.ts";

/** A server that was there before and is there afterwards, for this process alone meanwhile. */
export async function givenServer(kubeconfig: string): Promise<Source> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const endTurn = await ownTurn(config.getCurrentCluster()?.server ?? kubeconfig);
  return { kubeconfig, isKept: true, close: async () => endTurn() };
}
