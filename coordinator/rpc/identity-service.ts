import { create } from "@bufbuild/protobuf";
import type { Server } from "@grpc/grpc-js";
import {
  type CreateTokenRequest,
  type CreateTokenResponse,
  CreateTokenResponseSchema,
  IdentityService,
  type ListTokensRequest,
  type ListTokensResponse,
  ListTokensResponseSchema,
  type RenewRequest,
  type RenewResponse,
  RenewResponseSchema,
  type RevokeTokenRequest,
  type RevokeTokenResponse,
  RevokeTokenResponseSchema,
  TokenSchema,
} from "../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { MoestroError } from "../errors.ts";
import type { StoredToken } from "../store/store.ts";
import { fingerprintOf } from "./certificate-facts.ts";
import { readCertificateRequest } from "./certificate-request.ts";
import { unary } from "./handlers.ts";
import { type Issuer, issueTo } from "./issuer.ts";
import type { JoinOptions } from "./join-service.ts";
import { type Peer, peerOf } from "./peer.ts";
import { roleCode, roleOfCode } from "./roles.ts";
import { createToken, DEFAULT_TOKEN_LIFETIME_MS, usableTokens } from "./tokens.ts";

/** Serves IdentityService, whose callers the guard has let through. */
export function addIdentityService(server: Server, { issuer, tokens }: JoinOptions): void {
  const fingerprint = fingerprintOf(issuer.authority.certificate);
  const now = () => issuer.now().getTime();
  server.addService(grpcMethods(IdentityService), {
    renew: unary<RenewRequest, RenewResponse>((request, call) =>
      renew(request, caller(call), issuer),
    ),
    createToken: unary<CreateTokenRequest, CreateTokenResponse>(async (request, call) => {
      const role = roleOfCode(request.role);
      if (!role) throw new MoestroError("invalid_input", "role: there is no such role");
      const { text, expiresAtMs } = await createToken(
        tokens,
        {
          ...{ role, name: request.name, createdBy: caller(call).name },
          lifetimeMs: Number(request.lifetimeMs) || DEFAULT_TOKEN_LIFETIME_MS,
        },
        now(),
      );
      return create(CreateTokenResponseSchema, {
        token: `${text}.${fingerprint}`,
        expiresAtMs: BigInt(expiresAtMs),
      });
    }),
    listTokens: unary<ListTokensRequest, ListTokensResponse>(async () =>
      create(ListTokensResponseSchema, {
        tokens: (await usableTokens(tokens, now())).map(described),
      }),
    ),
    revokeToken: unary<RevokeTokenRequest, RevokeTokenResponse>(async ({ id }) => {
      if (!(await tokens.takeToken(id))) {
        throw new MoestroError(
          "not_found",
          `token ${id}: there is none (any more); moestro token list shows those that can be used`,
        );
      }
      return create(RevokeTokenResponseSchema);
    }),
  });
}

/**
 * The same name and role again: they come from the caller's certificate, not from the request.
 * Who is there for one run shows its pod's token anew: the pod may be gone.
 */
async function renew(request: RenewRequest, peer: Peer, issuer: Issuer): Promise<RenewResponse> {
  if (peer.runId !== undefined) {
    throw new MoestroError(
      "invalid_input",
      `the certificate of ${peer.name} is for run ${peer.runId} alone and is not renewed; join again with the pod's token`,
    );
  }
  const { publicKey } = await readCertificateRequest(request.certificateRequest);
  return create(RenewResponseSchema, { certificate: await issueTo(issuer, peer, publicKey) });
}

function caller(call: Parameters<typeof peerOf>[0]): Peer {
  const peer = peerOf(call);
  if (!peer) throw new Error("the guard let a caller without a certificate through");
  return peer;
}

function described({ id, role, name, createdBy, createdAtMs, expiresAtMs }: StoredToken) {
  return create(TokenSchema, {
    ...{ id, name, createdBy, role: roleCode(role) },
    createdAtMs: BigInt(createdAtMs),
    expiresAtMs: BigInt(expiresAtMs),
  });
}
