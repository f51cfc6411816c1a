import { create } from "@bufbuild/protobuf";
import { type Client, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import {
  RunService,
  WatchEventsRequestSchema,
  WatchRunRequestSchema,
} from "../../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";
import type { EventRecord } from "../../report/records.ts";
import { requestStream } from "../../rpc/request-stream.ts";
import type { Update } from "./watch-state.ts";

const { watchRun, watchEvents } = grpcMethods(RunService);

/** Failures of the connection or the coordinator, which another connection may not have. */
const PASSING = [
  ...[status.UNAVAILABLE, status.CANCELLED, status.INTERNAL],
  ...[status.UNKNOWN, status.RESOURCE_EXHAUSTED],
];

export type RunStreamsOptions = {
  client: Client;
  runId: string;
  update(update: Update): void;
  /** The connection is gone. */
  lost(error: ServiceError): void;
};

/** Follows a run's status and its events; returns what ends that. */
export function followRun({ client, runId, update, lost }: RunStreamsOptions): () => void {
  const failed = (error: ServiceError) => {
    if (PASSING.includes(error.code)) lost(error);
    else update({ kind: "problem", runId, problem: error.details });
  };
  update({ kind: "events begin", runId });
  const ends = [
    follow(client, watchRun, create(WatchRunRequestSchema, { runId }), failed, (response) => {
      if (response.status) update({ kind: "status", status: response.status });
    }),
    follow(
      client,
      watchEvents,
      create(WatchEventsRequestSchema, { runId, follow: true }),
      failed,
      ({ line }) => {
        const event = parseEvent(line);
        if (event) update({ kind: "event", runId, event });
      },
    ),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function follow<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  failed: (error: ServiceError) => void,
  received: (response: Response) => void,
): () => void {
  const stream = requestStream(client, method, request);
  let isEnded = false;
  stream.on("data", received);
  stream.on("error", (error: ServiceError) => {
    if (!isEnded) failed(error);
  });
  return () => {
    isEnded = true;
    stream.cancel();
  };
}

/** Undefined for a line that is no event: one that was cut off as its writer died. */
function parseEvent(line: string): EventRecord | undefined {
  try {
    const { time, event, message, ...rest } = JSON.parse(line);
    return { ...rest, time: String(time), event: String(event), message: String(message) };
  } catch {
    return undefined;
  }
}
