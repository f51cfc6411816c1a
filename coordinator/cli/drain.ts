import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { DrainAgentRequestSchema } from "../../proto/gen/moestro/v1/fleet_pb.js";
import { fleetMethods } from "./agents.ts";
import { callCoordinator, coordinatorOption } from "./context.ts";

type DrainOptions = { undo: boolean; json: boolean; coordinator?: string[] };

export function drainCommand(): Command {
  return new Command("drain")
    .description("give an agent no more ranks; runs with ranks there move away by checkpoint")
    .argument("<agent>", "id of the agent, which moestro agents shows")
    .option("--undo", "let it take ranks again", false)
    .option("--json", "one JSON object", false)
    .addOption(coordinatorOption())
    .action(async (agentId: string, { undo, json, coordinator }: DrainOptions) => {
      const request = create(DrainAgentRequestSchema, { agentId, undo });
      await callCoordinator(fleetMethods.drainAgent, request, coordinator);
      const said = undo
        ? `agent ${agentId} takes ranks again`
        : `agent ${agentId} takes no more ranks; moestro agents shows when its slots are free`;
      console.log(json ? JSON.stringify({ agentId, drained: !undo }) : said);
    });
}
