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
import { certificateName, isName, NAME_RULE } from "./roles.ts";
import { findToken, TokenRefused, type TokenStore } from "./tokens.ts";

export type JoinOptions = { issuer: Issuer; tokens: TokenStore };

/**
 * Serves JoinService: one token for one certificate. Of the request only the key gets into
 * the certificate; name and role are the token's to give. Nothing uses the token up before
 * all else is known to be right.
 */
export function addJoinService(server: Server, options: JoinOptions): void {
  server.addService(grpcMethods(JoinService), {
    join(call: ServerUnaryCall<JoinRequest, JoinResponse>, reply: sendUnaryData<JoinResponse>) {
      join(call.request, options).then(
        (response) => reply(null, response),
        (error: unknown) => reply(refusal(error)),
      );
    },
  });
}

function refusal(error: unknown) {
  if (!(error instanceof TokenRefused)) return statusOf(error);
  return { code: status.PERMISSION_DENIED, details: error.message };
}

async function join(request: JoinRequest, { issuer, tokens }: JoinOptions): Promise<JoinResponse> {
  const { name } = request;
  if (!isName(name)) throw new MoestroError("invalid_input", `name: give ${NAME_RULE}`);
  const wanted = await readCertificateRequest(request.certificateRequest);
  const now = issuer.now().getTime();
  const token = await findToken(tokens, { text: request.token, name }, now);
  const certified = certificateName(token.role, name);
  if (wanted.name !== certified) {
    throw new TokenRefused(
      `the token makes ${certified}, and ${wanted.name ?? "nobody"} was asked for; take a token of another role`,
    );
  }
  await token.take();
  return create(JoinResponseSchema, {
    certificate: await issueTo(issuer, { id: name, role: token.role }, wanted.publicKey),
    authority: issuer.authority.certificate,
  });
}
