import { Command, Option } from "commander";
import { parseOptions } from "../../worker/agent/options.ts";
import { runAgent } from "../../worker/agent/run-agent.ts";
import { requirePython } from "../environment/python.ts";

/** Its options are the agent's own, which reads and judges them. */
export function agentCommand(): Command {
  return new Command("agent")
    .description("offer this node to a coordinator: start its ranks and watch them")
    .addOption(
      new Option("--coordinator <host:port,...>", "every coordinator there may be").env(
        "MOESTRO_COORDINATOR",
      ),
    )
    .addOption(
      new Option("--token <token>", "what moestro token create printed, to join with once").env(
        "MOESTRO_TOKEN",
      ),
    )
    .option("--token-file <path>", "in a pod: the service-account token it joins with")
    .option("--authority <path>", "in a pod: the certificate, PEM, that coordinators are known by")
    .option("--join <host:port,...>", "where tokens are taken (default: one port above each)")
    .option("--agent-id <id>", "its name, one of its own on each node (default: the host's)")
    .option(
      "--credentials <folder>",
      "where it keeps its certificate (default: in the state folder)",
    )
    .option("--slots <n>", "ranks the node has room for (default: its GPUs, else its processors)")
    .option("--address <host>", "where other nodes' ranks reach it (default: as it connects)")
    .option("--interface <name>", "network interface that ranks talk over")
    .option("--probe-listen <host:port>", "where it answers other agents (default: any free port)")
    .option(
      "--print-logs",
      "print what ranks write, and a step every 10 s, as logs of pods are read",
    )
    .option("--leave-seconds <n>", "for ranks to go elsewhere when it is to end (default: 60)")
    .option("--python <path>", "Python that ranks run on (default: that of npm run setup)")
    .action(async (given: { python?: string }, command: Command) => {
      const options = parseOptions(agentArguments(command));
      const python = given.python ?? (await requirePython()).executable;
      // It leaves nothing to wait for behind, and timers of its libraries would be waited for.
      process.exit(await runAgent({ ...options, python }));
    });
}

/** What was given, as the agent reads it. */
export function agentArguments(command: Command): string[] {
  return command.options.flatMap((option) => {
    const value = command.getOptionValue(option.attributeName());
    if (value === true) return [`${option.long}`];
    return typeof value === "string" ? [`${option.long}=${value}`] : [];
  });
}
