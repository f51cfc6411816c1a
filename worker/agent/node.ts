import { randomBytes } from "node:crypto";
import { hostname, tmpdir } from "node:os";
import type { Inventory } from "../../proto/gen/moestro/v1/agent_pb.js";
import { addressTowards, defaultSlots, takeInventory } from "./inventory.ts";
import type { AgentOptions } from "./options.ts";
import { listenForProbes, type ProbeListener } from "./probe.ts";
import { RankLinks } from "./rank-links.ts";

/** What an agent finds out about its node, and opens there, before it connects. */
export type Node = {
  /** Random; tells this agent from one of the same name. */
  incarnation: string;
  inventory: Inventory;
  numSlots: number;
  /** Where ranks of other nodes reach this one. */
  address: string;
  probes: ProbeListener;
  links: RankLinks;
};

/** Where an agent makes its private folder. */
export function scratchOf({ ownCredentials, credentials }: AgentOptions): string {
  return ownCredentials ? credentials : tmpdir();
}

export async function openNode(options: AgentOptions): Promise<Node> {
  const { agentId, coordinators, probeListen } = options;
  const incarnation = randomBytes(8).toString("hex");
  const [first = ""] = coordinators;
  const scratch = scratchOf(options);
  const [inventory, found] = await Promise.all([takeInventory(), addressTowards(first)]);
  // An address that somebody gave need not be one of this machine's own to listen on.
  const anyPort = { host: options.address ? "" : (found ?? ""), port: 0 };
  const { host, port } = probeListen ?? anyPort;
  return {
    ...{ incarnation, inventory },
    numSlots: options.numSlots ?? defaultSlots(inventory),
    address: options.address ?? found ?? hostname(),
    probes: await listenForProbes(host, port, `${agentId} ${incarnation}`),
    links: await RankLinks.open(scratch),
  };
}
