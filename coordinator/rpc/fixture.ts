import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import {
  AgentService,
  type ConnectRequest,
  type ConnectResponse,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { type RunStatus, RunStatusSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { MoestroError } from "../errors.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { addAgentService } from "./agent-service.ts";
import { type AuditEntry, openAuditLog } from "./audit.ts";
import { loadAuthority } from "./authority.ts";
import { requestUnary } from "./call-unary.ts";
import { type Identity, issue } from "./certificates.ts";
import { openClient } from "./client.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { addIdentityService } from "./identity-service.ts";
import { addJoinService, type PodIdentities } from "./join-service.ts";
import type { Role } from "./roles.ts";
import { addRunService, type Runs } from "./run-service.ts";
import { createJoinServer, createRpcServer } from "./server.ts";

/** Runs of the test coordinator by their owner. */
const OWNERS: Record<string, string> = { r: "sam", s: "sue" };

/**
 * A coordinator's two servers on loopback with all that guards them, and runs that only
 * write down what they are asked.
 */
export async function startTestCoordinator(
  guard: Partial<GuardOptions> = {},
  pods?: PodIdentities,
) {
  const directory = mkdtempSync(join(tmpdir(), "moestro-rpc-"));
  const authority = await loadAuthority(directory, new Date());
  const identity = await issue(
    authority,
    { name: "coordinator", hosts: ["127.0.0.1"] },
    new Date(),
  );
  const store = openSqliteStore(join(directory, "moestro.db"));
  const heard: string[] = [];
  const auditPath = join(directory, "audit.jsonl");
  const audit = openAuditLog(auditPath, {
    now: () => new Date(),
    failed: (why) => heard.push(why),
  });
  const options: GuardOptions = { ownerOf: async (id) => OWNERS[id], audit, ...guard };
  const rpc = createRpcServer(authority, identity, createGuard(options));
  const joining = createJoinServer(authority, identity, createGuard(options));
  // One clock for tokens and certificates; tests set it.
  const clock = { now: Date.now };
  const issuer = { authority, now: () => new Date(clock.now()) };
  // What there is to tell of the run r; tests change it.
  const run = { status: { step: 3n } as MessageInitShape<typeof RunStatusSchema>, numAsked: 0 };
  addRunService(rpc.server, runsThat(heard, run));
  addAgentService(rpc.server, {
    refusal: () => undefined,
    connected: ({ hello, runId }) => {
      heard.push(`connected ${hello.agentId}${runId === undefined ? "" : ` for ${runId}`}`);
      return hello.agentId === "stranger" ? "an agent of this name is here" : undefined;
    },
    received: (_session, request) => void heard.push(`received ${request.message.case}`),
    lost: ({ hello }) => void heard.push(`lost ${hello.agentId}`),
  });
  addIdentityService(rpc.server, { issuer, tokens: store });
  addJoinService(joining.server, { issuer, tokens: store, pods });
  const address = `127.0.0.1:${await rpc.listen("127.0.0.1", 0)}`;
  const joinAddress = `127.0.0.1:${await joining.listen("127.0.0.1", 0)}`;
  rpc.setServing(true);
  return {
    ...{ directory, authority, identity, store, heard, clock, run, rpc, joining },
    ...{ address, joinAddress },
    audited: () =>
      readFileSync(auditPath, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as AuditEntry & { at: string }),
    person: (name: string, role: Role) =>
      issue(authority, { name: `user:${name}`, hosts: [], role }, new Date()),
    agent: (id: string) => issue(authority, { name: `agent:${id}`, hosts: [] }, new Date()),
    /** A call in somebody's name: the answer, or the failure. */
    async call<Request, Response>(
      who: Identity,
      method: MethodDefinition<Request, Response>,
      request: Request,
    ): Promise<{ response?: Response; error?: ServiceError }> {
      const material = { authority: authority.certificate, ...who };
      const client = openClient(address, material);
      try {
        return { response: await requestUnary(client, method, request) };
      } catch (error) {
        return { error: error as ServiceError };
      } finally {
        client.close();
      }
    },
    /** Opens an agent's stream and sends these; tells the first answer, or how it ended. */
    openStream(who: Identity, ...messages: ConnectRequest[]) {
      const client = openClient(address, { authority: authority.certificate, ...who });
      const { path, requestSerialize, responseDeserialize } = grpcMethods(AgentService).connect;
      const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      const answer = new Promise<string>((resolve) => {
        stream.on("data", ({ message }: ConnectResponse) => resolve(`${message.case}`));
        stream.on("error", ({ code, details }: ServiceError) =>
          resolve(`${status[code]}: ${details}`),
        );
      });
      for (const message of messages) stream.write(message);
      const close = () => {
        stream.cancel();
        client.close();
      };
      return { answer, close };
    },
    async close() {
      await rpc.close();
      await joining.close();
      audit.close();
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
}

export type TestCoordinator = Awaited<ReturnType<typeof startTestCoordinator>>;

function runsThat(
  heard: string[],
  run: { status: MessageInitShape<typeof RunStatusSchema>; numAsked: number },
): Runs {
  const statusOf = async (runId: string): Promise<RunStatus> => {
    if (!OWNERS[runId]) throw new MoestroError("not_found", `run ${runId}: there is none`);
    run.numAsked += 1;
    return create(RunStatusSchema, { ...run.status, runId });
  };
  const note = (what: string) => async (runId: string) => {
    await statusOf(runId);
    heard.push(`${what} ${runId}`);
  };
  return {
    status: statusOf,
    list: () => Promise.all(Object.keys(OWNERS).map(statusOf)),
    submit: async (request, owner) => {
      heard.push(`submit ${request.runId} of ${owner}`);
      return request.runId || "made-up";
    },
    stop: note("stop"),
    suspend: note("suspend"),
    resume: note("resume"),
    scale: note("scale"),
    saveCheckpoint: note("save"),
    async *events(runId) {
      await statusOf(runId);
      yield "{}";
    },
    async *log() {},
  };
}
