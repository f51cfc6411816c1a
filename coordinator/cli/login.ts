import { userInfo } from "node:os";
import { Command, Option } from "commander";
import { joinAddress } from "../rpc/address.ts";
import { checked } from "../rpc/credentials-file.ts";
import { firstOf } from "../rpc/first-of.ts";
import { joinCluster } from "../rpc/join-client.ts";
import { parseToken } from "../rpc/tokens.ts";
import { parseCoordinators, writeContext } from "./context.ts";

type LoginOptions = {
  coordinator: string[];
  joinAddress?: string[];
  token: string;
  name: string;
};

export function loginCommand(): Command {
  return new Command("login")
    .description("get a certificate for a token, and speak to these coordinators from now on")
    .requiredOption("--coordinator <host:port,...>", "the coordinators", parseCoordinators)
    .addOption(
      new Option("--token <token>", "what moestro token create printed")
        .env("MOESTRO_TOKEN")
        .makeOptionMandatory(),
    )
    .option("--name <name>", "your name, as the token has it", userInfo().username)
    .option(
      "--join-address <host:port,...>",
      "where tokens are taken (default: one port above each coordinator's)",
      parseCoordinators,
    )
    .action(login);
}

async function login(options: LoginOptions): Promise<void> {
  const { coordinator: coordinators, name } = options;
  const token = parseToken(options.token);
  const addresses = options.joinAddress ?? coordinators.map(joinAddress);
  const material = await firstOf(addresses, (address) =>
    joinCluster({ address, token, name: `user:${name}` }),
  );
  const { peer, validToMs } = checked(material);
  const role = peer?.role ?? "";
  writeContext({ coordinators, name, role }, material);
  const until = new Date(validToMs).toISOString().slice(0, 10);
  console.log(`logged in to ${coordinators.join(", ")} as ${name}, ${role}, until ${until}`);
}
