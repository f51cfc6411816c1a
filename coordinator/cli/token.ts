import { create } from "@bufbuild/protobuf";
import { Command, InvalidArgumentError, Option } from "commander";
import {
  CreateTokenRequestSchema,
  IdentityService,
  ListTokensRequestSchema,
  RevokeTokenRequestSchema,
  type Token,
} from "../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { table } from "../planner/text-table.ts";
import { ROLES, type Role, roleCode, roleOfCode } from "../rpc/roles.ts";
import { callCoordinator, coordinatorOption } from "./context.ts";

const methods = grpcMethods(IdentityService);
const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

type Common = { coordinator?: string[]; json: boolean };
type CreateOptions = Common & { role: Role; lifetime: number; name: string };

export function tokenCommand(): Command {
  const create = new Command("create")
    .description("make a token that one agent or person can join with, once")
    .addOption(
      new Option("--role <role>", "what its holder may do").choices(ROLES).default("agent"),
    )
    .option(
      "--lifetime <time>",
      "how long it can be used: 90s, 15m, 2h",
      parseLifetime,
      15 * 60_000,
    )
    .option("--name <name>", "the only agent or person it is for; people's need one", "")
    .action(createToken);
  const list = new Command("list")
    .description("show the tokens that can still be used")
    .action(listTokens);
  const revoke = new Command("revoke")
    .description("make a token useless")
    .argument("<id>", "its id, which token list shows")
    .action(revokeToken);
  const command = new Command("token").description("make, list and revoke tokens to join with");
  for (const one of [create, list, revoke]) {
    one.option("--json", "one JSON object", false).addOption(coordinatorOption());
    command.addCommand(one.exitOverride());
  }
  return command;
}

async function createToken(options: CreateOptions): Promise<void> {
  const { role, name, lifetime } = options;
  const request = { role: roleCode(role), name, lifetimeMs: BigInt(lifetime) };
  const { token, expiresAtMs } = await callCoordinator(
    methods.createToken,
    create(CreateTokenRequestSchema, request),
    options.coordinator,
  );
  const [id] = token.split(".");
  const expiresAt = new Date(Number(expiresAtMs)).toISOString();
  if (options.json) {
    console.log(JSON.stringify({ id, role, name, expiresAt, token }));
    return;
  }
  const use = role === "agent" ? "agent" : "login";
  const holder = `${role} ${name || "of any name"}`;
  // Beside standard output, which a script takes as the token.
  console.error(
    `for ${holder}, once, until ${expiresAt}: moestro ${use} --coordinator host:port --token ...`,
  );
  console.log(token);
}

async function listTokens(options: Common): Promise<void> {
  const request = create(ListTokensRequestSchema);
  const { tokens } = await callCoordinator(methods.listTokens, request, options.coordinator);
  const rows = tokens.map(described);
  if (options.json) console.log(JSON.stringify(rows));
  else if (rows.length === 0) console.log("there are no tokens; moestro token create makes one");
  else {
    const heading = ["id", "role", "name", "made by", "until"];
    const cells = rows.map((row) => [
      ...[row.id, row.role, row.name || "any", row.createdBy, row.expiresAt],
    ]);
    for (const line of table([heading, ...cells])) console.log(line);
  }
}

async function revokeToken(id: string, options: Common): Promise<void> {
  const request = create(RevokeTokenRequestSchema, { id });
  await callCoordinator(methods.revokeToken, request, options.coordinator);
  console.log(options.json ? JSON.stringify({ id, revoked: true }) : `token ${id} is revoked`);
}

function described({ id, role, name, createdBy, createdAtMs, expiresAtMs }: Token) {
  const time = (ms: bigint) => new Date(Number(ms)).toISOString();
  return {
    ...{ id, name, createdBy, role: roleOfCode(role) ?? "" },
    ...{ createdAt: time(createdAtMs), expiresAt: time(expiresAtMs) },
  };
}

function parseLifetime(text: string): number {
  const { number, unit } = /^(?<number>\d{1,5})(?<unit>[smh])$/.exec(text)?.groups ?? {};
  if (!number || !unit) throw new InvalidArgumentError("Give a number with s, m or h: 15m.");
  return Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
