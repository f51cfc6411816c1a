import { parseArgs } from "node:util";

export type AgentOptions = {
  /** host:port of the coordinator. */
  coordinator: string;
  agentId: string;
  /** Folder with authority.crt, agent.crt and agent.key, PEM. */
  credentials: string;
  /** The Python interpreter ranks run on. */
  python: string;
  /** Ranks this node has room for. */
  numSlots: number;
  /** The credentials are for this process alone: it removes them once read, and the folder at its end. */
  ownCredentials: boolean;
  /** End when standard input ends, which is when the process that started the agent is gone. */
  exitWithParent: boolean;
};

const REQUIRED = ["coordinator", "agent-id", "credentials", "python", "slots"] as const;

/** Reads the command line. Throws an Error whose message is one line for a person. */
export function parseOptions(args: readonly string[]): AgentOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      coordinator: { type: "string" },
      "agent-id": { type: "string" },
      credentials: { type: "string" },
      python: { type: "string" },
      slots: { type: "string" },
      "own-credentials": { type: "boolean", default: false },
      "exit-with-parent": { type: "boolean", default: false },
    },
  });
  const given = (name: (typeof REQUIRED)[number]): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is missing`);
    return value;
  };
  const numSlots = Number(given("slots"));
  if (!Number.isInteger(numSlots) || numSlots < 1) {
    throw new Error(`--slots ${given("slots")}: give a whole number of at least 1`);
  }
  return {
    coordinator: given("coordinator"),
    agentId: given("agent-id"),
    credentials: given("credentials"),
    python: given("python"),
    numSlots,
    ownCredentials: values["own-credentials"],
    exitWithParent: values["exit-with-parent"],
  };
}
