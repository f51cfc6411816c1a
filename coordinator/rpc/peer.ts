import type { ServerDuplexStream, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";

type AnyCall = Pick<
  | ServerUnaryCall<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>,
  "getAuthContext"
>;

/** Who a caller is by its certificate: "agent:node-0", "user:admin"; undefined without one. */
export function peerName(call: AnyCall): string | undefined {
  const name = call.getAuthContext()?.sslPeerCertificate?.subject?.CN;
  return typeof name === "string" ? name : undefined;
}
