import { create } from "@bufbuild/protobuf";
import { splitAddress } from "../../../coordinator/rpc/address.ts";
import { requestUnary } from "../../../coordinator/rpc/call-unary.ts";
import { joinCluster } from "../../../coordinator/rpc/join-client.ts";
import { parseToken } from "../../../coordinator/rpc/tokens.ts";
import {
  CreateTokenRequestSchema,
  IdentityService,
  Role,
} from "../../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";
import type { CoordinatorProcess } from "./coordinator.ts";

/** Nodes that join side by side. */
const AT_ONCE = 16;
const TOKEN_LIFETIME_MS = 600_000n;

/** Nodes that join with a token each, as agents do; returns a line for people. */
export async function measureJoins(
  coordinator: CoordinatorProcess,
  numJoins: number,
): Promise<Record<string, string>> {
  const { createToken } = grpcMethods(IdentityService);
  const admin = await coordinator.client("user:bench");
  const { host } = splitAddress(coordinator.address);
  const address = `${host}:${coordinator.joinPort}`;
  const request = create(CreateTokenRequestSchema, {
    ...{ role: Role.AGENT, lifetimeMs: TOKEN_LIFETIME_MS },
  });
  const tokens = await Promise.all(
    Array.from({ length: numJoins }, async () => {
      const { token } = await requestUnary(admin, createToken, request);
      return parseToken(token);
    }),
  );
  admin.close();
  const began = performance.now();
  let next = 0;
  const joiner = async () => {
    for (let token = tokens[next]; token; token = tokens[next]) {
      next += 1;
      await joinCluster({ address, token, name: `agent:joined-${next}` });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, joiner));
  const seconds = (performance.now() - began) / 1000;
  return { joins: `${(numJoins / seconds).toFixed(0)} a second, each with keys of its own` };
}
