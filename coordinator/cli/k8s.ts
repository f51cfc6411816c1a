import { Command } from "commander";
import { diffCommand } from "./k8s/diff.ts";
import { renderCommand } from "./k8s/render.ts";

export function k8sCommand(): Command {
  return new Command("k8s")
    .description("moestro in Kubernetes")
    .addCommand(renderCommand())
    .addCommand(diffCommand());
}
