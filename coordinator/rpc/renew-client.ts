import { create } from "@bufbuild/protobuf";
import { IdentityService, RenewRequestSchema } from "../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { callUnary } from "./call-unary.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import { type Credentials, checked } from "./credentials-file.ts";
import { firstOf } from "./first-of.ts";

const { renew } = grpcMethods(IdentityService);
/** The share of a certificate's life after which a new one is asked for. */
const RENEWAL_SHARE = 2 / 3;
/** Agents that joined together do not come back together. */
const JITTER_SHARE = 0.1;

/** When to renew a certificate; `random` is from 0 to 1. */
export function renewalDueMs({ validFromMs, validToMs }: Credentials, random: number): number {
  return validFromMs + (validToMs - validFromMs) * (RENEWAL_SHARE - JITTER_SHARE * random);
}

/** A new key and certificate in the same name, from the first coordinator that answers. */
export async function renewCredentials(
  coordinators: readonly string[],
  old: Credentials,
): Promise<Credentials> {
  const { request, key } = await createCertificateRequest(old.peer?.name ?? "");
  const message = create(RenewRequestSchema, { certificateRequest: request });
  return firstOf(coordinators, async (address) => {
    const { certificate } = await callUnary({ address, trust: old }, renew, message);
    return checked({ authority: old.authority, certificate, key });
  });
}
