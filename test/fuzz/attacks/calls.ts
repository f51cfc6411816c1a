import { type ClientHttp2Session, connect, constants } from "node:http2";
import { type DescMethod, type DescService, toBinary } from "@bufbuild/protobuf";
import { AgentService } from "../../../proto/gen/moestro/v1/agent_pb.js";
import { FleetService } from "../../../proto/gen/moestro/v1/fleet_pb.js";
import { IdentityService, JoinService } from "../../../proto/gen/moestro/v1/join_pb.js";
import { RunService } from "../../../proto/gen/moestro/v1/run_pb.js";
import type { Random } from "../../faults/random.ts";
import { mutated } from "../bytes.ts";
import { randomMessage } from "../random-message.ts";
import { type Attack, openTls, type Target } from "../target.ts";

const SERVICES: readonly DescService[] = [
  ...[AgentService, FleetService, IdentityService, JoinService, RunService],
];
const METHODS = SERVICES.flatMap(({ methods }) => methods);
/** Above what a coordinator takes. */
const OVERSIZE_BYTES = 9 * 1024 * 1024;
/** A stream that lasts is left after so long. */
const PATIENCE_MS = 300;

/** gRPC's frame: whether it is compressed, the length, the message; at times not that. */
function framed(message: Uint8Array, random: Random): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(random.next() < 0.05 ? random.whole(1, 255) : 0, 0);
  const isHonest = random.next() < 0.9;
  header.writeUInt32BE(isHonest ? message.length : random.whole(0, 0xffffffff), 1);
  return Buffer.concat([header, message]);
}

function payload({ input }: DescMethod, target: Target, random: Random): Buffer {
  if (random.next() < 0.01) return Buffer.alloc(OVERSIZE_BYTES);
  const sound = toBinary(input, randomMessage(input, random, target.runIds));
  return random.next() < 0.6 ? Buffer.from(sound) : mutated(sound, random);
}

/** Any procedure, as anybody, with any message: what answers is one line. */
export const calls: Attack = async (target, random) => {
  const method = random.pick(METHODS);
  const isJoin = method.parent.typeName === JoinService.typeName;
  const toJoin = random.next() < 0.9 ? isJoin : !isJoin;
  const caller = random.pick(target.callers);
  const socket = await openTls(target, toJoin ? target.joinPort : target.port, caller);
  if (!socket) {
    target.count("calls without a connection");
    return;
  }
  const session = connect(`https://${target.host}`, { createConnection: () => socket });
  session.on("error", () => {});
  for (let left = random.whole(1, 10); left > 0 && !session.destroyed; left -= 1) {
    await call(session, random.next() < 0.7 ? method : random.pick(METHODS), target, random);
  }
  session.destroy();
};

function call(
  session: ClientHttp2Session,
  method: DescMethod,
  target: Target,
  random: Random,
): Promise<void> {
  return new Promise((resolve) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: `/${method.parent.typeName}/${method.name}`,
      ...{ "content-type": "application/grpc", te: "trailers" },
      ...(random.next() < 0.1 ? { "grpc-timeout": random.pick(["1n", "x", "99999999H"]) } : {}),
      ...(random.next() < 0.1 ? { "grpc-encoding": random.pick(["gzip", "br", ""]) } : {}),
    });
    const heard = (headers: Record<string, unknown>) => {
      const status = headers["grpc-status"];
      if (status === undefined) return;
      target.count(`calls answered with status ${status}`);
      const text = decodeURIComponent(String(headers["grpc-message"] ?? ""));
      // A job is told all its mistakes, a line each.
      if (text.includes("\n") && method.name !== "SubmitRun")
        target.fault(`${method.name} answers with lines: ${text}`);
      if (text.startsWith("the coordinator failed")) target.fault(`${method.name}: ${text}`);
    };
    stream.on("response", heard);
    stream.on("trailers", heard);
    stream.on("error", () => {});
    stream.on("data", () => {});
    // A stream that still has to write is not sure to say that it is closed.
    const leave = setTimeout(() => {
      stream.close(constants.NGHTTP2_CANCEL);
      resolve();
    }, PATIENCE_MS);
    stream.on("close", () => {
      clearTimeout(leave);
      resolve();
    });
    for (let left = random.pick([1, 1, 1, 2, 3]); left > 0; left -= 1) {
      stream.write(framed(payload(method, target, random), random));
    }
    if (random.next() < 0.8) stream.end();
  });
}
