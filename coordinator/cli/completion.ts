import { Argument, Command } from "commander";
import { bashScript } from "./completion/bash.ts";
import { type Completed, completed } from "./completion/completed.ts";
import { fishScript } from "./completion/fish.ts";
import { zshScript } from "./completion/zsh.ts";

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** Made from the program itself, so that it never lags behind. */
export function completionCommand(): Command {
  return new Command("completion")
    .description("print what makes a shell complete moestro's commands and options")
    .addArgument(new Argument("<shell>", "which shell").choices(Object.keys(SHELLS)))
    .addHelpText(
      "after",
      `
Put into the shell's start-up file:
  bash   source <(moestro completion bash)
  zsh    source <(moestro completion zsh)      (after compinit)
  fish   moestro completion fish | source`,
    )
    .action((shell: keyof typeof SHELLS, _options: object, command: Command) => {
      const root = command.parent ?? command;
      const places: Completed[] = completed(root);
      console.log(SHELLS[shell](places));
    });
}
