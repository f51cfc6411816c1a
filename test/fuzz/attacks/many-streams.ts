import { connect, constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { RunService, WatchRunRequestSchema } from "../../../proto/gen/moestro/v1/run_pb.js";
import { type Attack, openTls } from "../target.ts";

const MOST_STREAMS = 400;

/** Streams by the hundred over one connection, that say little and read nothing. */
export const manyStreams: Attack = async (target, random) => {
  const socket = await openTls(target, target.port, random.pick(target.callers));
  target.count("connections with many streams");
  if (!socket) return;
  const session = connect(`https://${target.host}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: random.pick([0, 1, 65_535]) },
  });
  session.on("error", () => {});
  const runId = random.pick(target.runIds);
  const message = toBinary(WatchRunRequestSchema, create(WatchRunRequestSchema, { runId }));
  const path = `/${RunService.typeName}/${RunService.method.watchRun.name}`;
  for (let left = random.whole(20, MOST_STREAMS); left > 0 && !session.destroyed; left -= 1) {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: path,
      ...{ "content-type": "application/grpc", te: "trailers" },
    });
    stream.on("error", () => {});
    const header = Buffer.from([0, 0, 0, 0, message.length]);
    if (random.next() < 0.8) stream.write(Buffer.concat([header, message]));
    if (random.next() < 0.2) stream.close(constants.NGHTTP2_CANCEL);
  }
  await sleep(random.whole(50, 500));
  session.destroy();
};
