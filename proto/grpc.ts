import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { GenService, GenServiceMethods } from "@bufbuild/protobuf/codegenv2";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/**
 * Joins protobuf-es and grpc-js, which know nothing of each other: the methods
 * of a generated service as grpc-js definitions, keyed by the method's name in
 * lower camel case.
 */
export function grpcMethods<Methods extends GenServiceMethods>(
  service: GenService<Methods>,
): GrpcMethods<Methods> {
  const entries = Object.entries(service.method).map(([name, method]) => [
    name,
    {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind !== "unary" && method.methodKind !== "server_streaming",
      responseStream: method.methodKind !== "unary" && method.methodKind !== "client_streaming",
      ...codec("request", method.input),
      ...codec("response", method.output),
    },
  ]);
  return Object.fromEntries(entries) as GrpcMethods<Methods>;
}

/** The methods of a service with the messages they carry. */
export type GrpcMethods<Methods extends GenServiceMethods> = ServiceDefinition & {
  [Name in keyof Methods]: MethodDefinition<
    MessageShape<Methods[Name]["input"]>,
    MessageShape<Methods[Name]["output"]>
  >;
};

function codec(side: "request" | "response", schema: DescMessage) {
  return {
    [`${side}Serialize`]: (message: MessageShape<typeof schema>) =>
      Buffer.from(toBinary(schema, message)),
    [`${side}Deserialize`]: (bytes: Uint8Array) => fromBinary(schema, bytes),
  };
}
