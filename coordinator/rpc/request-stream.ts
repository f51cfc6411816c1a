import type { Client, ClientReadableStream, MethodDefinition } from "@grpc/grpc-js";

/** Asks for what a coordinator tells until it ends; has no deadline. */
export function requestStream<Request, Response>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
  request: Request,
): ClientReadableStream<Response> {
  return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
}
