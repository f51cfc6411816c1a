import type { MessageShape } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import { AgentService } from "../../proto/gen/moestro/v1/agent_pb.js";
import { FleetService } from "../../proto/gen/moestro/v1/fleet_pb.js";
import { IdentityService, JoinService } from "../../proto/gen/moestro/v1/join_pb.js";
import { RunService } from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { ROLES, type Role, roleOfCode } from "./roles.ts";

/** Who may call a procedure, and what is kept of the call. */
export type Rule<Request = unknown, Response = unknown> = {
  /** Undefined for anyone, without a certificate too. */
  roles: readonly Role[] | undefined;
  /** The run a submitter must own. */
  ownRun?: (request: Request) => string;
  /** A stream that lasts as long as its caller likes: no deadline. */
  lasting?: true;
  /** What a call is about that is written to the audit log. No secret. */
  audit?: (request: Request, response: Response | undefined) => string;
};

type Rules<Methods extends GenServiceMethods> = {
  [Name in keyof Methods]: Rule<
    MessageShape<Methods[Name]["input"]>,
    MessageShape<Methods[Name]["output"]>
  >;
};

const READERS = ["admin", "submitter", "viewer"] as const;
const SUBMITTERS = ["admin", "submitter"] as const;
const ADMINS = ["admin"] as const;

const ofRun = (request: { runId: string }) => request.runId;
/** For admins, and for submitters with runs of their own. */
const OWNERS = { roles: SUBMITTERS, ownRun: ofRun, audit: ofRun };

/**
 * Every procedure of every service by its path. One that is not here is refused; one that
 * a contract has and this table lacks does not compile.
 */
export const RULES: ReadonlyMap<string, Rule> = new Map([
  ...rulesOf(AgentService, { connect: { roles: ["agent"], lasting: true } }),
  ...rulesOf(RunService, {
    getRun: { roles: READERS },
    listRuns: { roles: READERS },
    watchRun: { roles: READERS, lasting: true },
    watchEvents: { roles: READERS, lasting: true },
    readLog: { roles: READERS, lasting: true },
    submitRun: {
      roles: SUBMITTERS,
      audit: ({ runId }, response) => response?.runId || runId || "a new run",
    },
    stopRun: {
      ...OWNERS,
      audit: ({ runId, checkpoint }) => `${runId} ${checkpoint ? "with" : "without"} a checkpoint`,
    },
    suspendRun: OWNERS,
    resumeRun: OWNERS,
    scaleRun: {
      ...OWNERS,
      audit: ({ runId, minRanks, maxRanks }) => `${runId} to ${minRanks}..${maxRanks} ranks`,
    },
    saveCheckpoint: OWNERS,
  }),
  ...rulesOf(FleetService, {
    listAgents: { roles: READERS },
    drainAgent: { roles: ADMINS, audit: ({ agentId, undo }) => agentId + (undo ? " undone" : "") },
  }),
  ...rulesOf(IdentityService, {
    renew: { roles: ROLES },
    createToken: {
      roles: ADMINS,
      // Of the token's text only the id, which ends at the first dot.
      audit: ({ role, name }, response) =>
        `${response?.token.split(".")[0] ?? "a token"} for ${roleOfCode(role) ?? "no role"} ${name || "of any name"}`,
    },
    listTokens: { roles: ADMINS },
    revokeToken: { roles: ADMINS, audit: ({ id }) => id },
  }),
  ...rulesOf(JoinService, { join: { roles: undefined, audit: ({ name }) => name.slice(0, 100) } }),
  ["/grpc.health.v1.Health/Check", { roles: ROLES }],
  ["/grpc.health.v1.Health/Watch", { roles: ROLES, lasting: true }],
]);

function rulesOf<Methods extends GenServiceMethods>(
  service: GenService<Methods>,
  rules: Rules<Methods>,
): [path: string, rule: Rule][] {
  const methods = grpcMethods(service);
  return Object.entries(rules).map(([name, rule]) => [
    methods[name as keyof Methods].path,
    rule as Rule,
  ]);
}
