import { type ServiceError, status } from "@grpc/grpc-js";

const WORDS = "not leading";
const WHERE = "; the leader is at ";
const SAID = new RegExp(`^${WORDS}(?:${WHERE}(?<leader>\\S+))?$`);

/** What agents and commands are told by a coordinator that does not lead; they read the address. */
export function notLeading(leader: string | undefined): string {
  return leader ? `${WORDS}${WHERE}${leader}` : WORDS;
}

/** The leader that a refusal names, if it says that and where another one leads. */
export function namedLeader(details: string): string | undefined {
  return SAID.exec(details)?.groups?.leader;
}

/** What a coordinator that does not lead says of the one that does; undefined if it leads. */
export function otherLeader({
  code,
  details,
}: Pick<ServiceError, "code" | "details">): { leader: string | undefined } | undefined {
  if (code !== status.UNAVAILABLE || !SAID.test(details)) return undefined;
  return { leader: namedLeader(details) };
}
