import { create } from "@bufbuild/protobuf";
import { type Server, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import {
  type JoinRequest,
  type JoinResponse,
  JoinResponseSchema,
  JoinService,
} from "../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { MoestroError } from "../errors.ts";
import { readCertificateRequest } from "./certificate-request.ts";
import { statusOf } from "./handlers.ts";
import { type Issuer, issueTo } from "./issuer.ts";
import type { Peer } from "./peer.ts";
import { printable } from "./printable.ts";
import { certificateName, isName, NAME_RULE } from "./roles.ts";
import { findToken, TokenRefused, type TokenStore } from "./tokens.ts";

/** Who stands behind a pod's service-account token. */
export interface PodIdentities {
  /**
   * The one run that the agent in a pod is for, if the token is that pod's own.
   *
   * @param from the address it came from: of many at once from one, some wait
   * @throws TokenRefused, and MoestroError `environment` where a later attempt may do better
   */
  identify(token: string, podName: string, from?: string): Promise<{ runId: string }>;
}

export type JoinOptions = {
  issuer: Issuer;
  tokens: TokenStore;
  /** Without them no agent joins by a service-account token. */
  pods?: PodIdentities | undefined;
};

/** What a token gives, before and after it is used up. */
type Grant = Pick<Peer, "role"> & { take(): Promise<Pick<Peer, "runId">> };

/**
 * Serves JoinService: one token for one certificate. Of the request only the key gets into
 * the certificate; name, role and run are the token's to give. Nothing uses the token up, or
 * asks anybody about it, before all else is known to be right.
 */
export function addJoinService(server: Server, options: JoinOptions): void {
  server.addService(grpcMethods(JoinService), {
    join(call: ServerUnaryCall<JoinRequest, JoinResponse>, reply: sendUnaryData<JoinResponse>) {
      join(call.request, options, hostOf(call.getPeer())).then(
        (response) => reply(null, response),
        (error: unknown) => reply(refusal(error)),
      );
    },
  });
}

/** Of a peer's address, which has a port of its own for each connection. */
function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, "");
}

function refusal(error: unknown) {
  if (!(error instanceof TokenRefused)) return statusOf(error);
  return { code: status.PERMISSION_DENIED, details: printable(error.message) };
}

async function join(
  request: JoinRequest,
  options: JoinOptions,
  from: string,
): Promise<JoinResponse> {
  const { issuer } = options;
  const { name } = request;
  if (!isName(name)) throw new MoestroError("invalid_input", `name: give ${NAME_RULE}`);
  const wanted = await readCertificateRequest(request.certificateRequest);
  const { role, take } = await grantOf(request, options, from);
  const certified = certificateName(role, name);
  if (wanted.name !== certified) {
    throw new TokenRefused(
      `the token makes ${certified}, and ${wanted.name ?? "nobody"} was asked for; take a token of another role`,
    );
  }
  const holder = { id: name, role, ...(await take()) };
  return create(JoinResponseSchema, {
    certificate: await issueTo(issuer, holder, wanted.publicKey),
    authority: issuer.authority.certificate,
  });
}

async function grantOf(request: JoinRequest, options: JoinOptions, from: string): Promise<Grant> {
  const { token: text, name, serviceAccountToken } = request;
  const { issuer, tokens, pods } = options;
  if (serviceAccountToken === "") {
    const token = await findToken(tokens, { text, name }, issuer.now().getTime());
    return { role: token.role, take: () => token.take().then(() => ({})) };
  }
  if (text !== "") {
    throw new MoestroError("invalid_input", "token: give one, of moestro's or of a pod's");
  }
  if (!pods) {
    throw new TokenRefused(
      "this coordinator knows no pods: join with --token, or start it in Kubernetes with moestro operator",
    );
  }
  return { role: "agent", take: () => pods.identify(serviceAccountToken, name, from) };
}
