// A process that holds many agents, each the agent's own code with its own certificate and
// connection; their ranks are simulated. Started by ../scale.ts, which it speaks with.
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { loadAuthority } from "../../../coordinator/rpc/authority.ts";
import { issue } from "../../../coordinator/rpc/certificates.ts";
import { Agent } from "../../../worker/agent/agent.ts";
import { RANKS_PER_AGENT } from "./job.ts";
import { agentName, type FromHost, type HostOptions, type ToHost } from "./protocol.ts";
import { SimulatedRank } from "./simulated-rank.ts";

/** Agents that connect at a time. */
const CONNECTING = 8;
/** Agents whose ranks make a step before sockets get a turn. */
const STEPPING = 4;

const { home, coordinator, first, count, stepMs } = JSON.parse(
  process.argv[2] ?? "{}",
) as HostOptions;
const authority = await loadAuthority(home, new Date());
const numRanks = count * RANKS_PER_AGENT;
const ranks = new Set<SimulatedRank>();
const standing = new Map<number, number>();
const ended = new Map<number, number>();

const now = () => performance.timeOrigin + performance.now();
const tell = (message: FromHost) => process.send?.(message);

/** Tells when as many as there are have come to `kind`. */
function countRank(
  kind: "stand" | "ended",
  counts: Map<number, number>,
  { generation }: SimulatedRank,
): void {
  const reached = (counts.get(generation) ?? 0) + 1;
  counts.set(generation, reached);
  if (reached === numRanks) tell({ kind, generation, atMs: now() });
}

function startRank(logPath: string): SimulatedRank {
  const started = new SimulatedRank(logPath, {
    ready: (rank) => countRank("stand", standing, rank),
    coefficients: ({ generation }, effectiveStep) =>
      tell({ kind: "coefficients", generation, effectiveStep, atMs: now() }),
    ended: (rank) => {
      ranks.delete(rank);
      countRank("ended", ended, rank);
    },
  });
  ranks.add(started);
  return started;
}

async function startAgent(index: number): Promise<Agent> {
  const agentId = agentName(index);
  const identity = await issue(authority, { name: `agent:${agentId}`, hosts: [] }, new Date());
  const tls = { authority: authority.certificate, ...identity };
  return Agent.start(
    {
      ...{ coordinators: [coordinator], agentId, credentials: home },
      ...{ token: undefined, tokenFiles: undefined, joinAddresses: [], python: "" },
      ...{ numSlots: RANKS_PER_AGENT, printLogs: false, leaveMs: 0 },
      ...{ address: "127.0.0.1", probeListen: { host: "127.0.0.1", port: 0 } },
      ...{ networkInterface: "lo", ownCredentials: false, exitWithParent: false },
    },
    () => tls,
    startRank,
  );
}

/** One step of all ranks, in the order they were started: those of an agent together. */
async function step(): Promise<void> {
  const training = [...ranks].filter(({ isTraining }) => isTraining);
  if (training.length < numRanks) return;
  for (const [index, rank] of training.entries()) {
    if (rank.isTraining) rank.step();
    if (index % (STEPPING * RANKS_PER_AGENT) === STEPPING * RANKS_PER_AGENT - 1) await turn();
  }
  const last = training.at(-1);
  if (!last) return;
  const { generation, nextStep } = last;
  tell({ kind: "reported", generation, step: nextStep - 1, atMs: now() });
}

const agents: Agent[] = [];
process.on("message", (message: ToHost) => {
  if (message.kind === "kill") {
    for (const rank of ranks) if (rank.rank === message.rank) rank.kill();
  } else {
    void Promise.all(agents.map((agent) => agent.leave("measured", 0))).then(() => process.exit());
  }
});
process.on("disconnect", () => process.exit());

for (let index = 0; index < count; index += CONNECTING) {
  const some = Array.from({ length: Math.min(CONNECTING, count - index) }, (_, one) =>
    startAgent(first + index + one),
  );
  agents.push(...(await Promise.all(some)));
}
tell({ kind: "started" });
for (;;) {
  await sleep(stepMs - (now() % stepMs));
  await step();
}
