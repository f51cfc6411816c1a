import { create } from "@bufbuild/protobuf";
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import {
  type GetRunRequest,
  type GetRunResponse,
  GetRunResponseSchema,
  RunService,
  type RunStatus,
  type StopRunRequest,
  type StopRunResponse,
  StopRunResponseSchema,
  type WatchRunRequest,
  type WatchRunResponse,
  WatchRunResponseSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { peerName } from "./peer.ts";

/** Between two statuses of one watcher; changes in between are seen in the next. */
const WATCH_INTERVAL_MS = 250;

/** The one run this coordinator carries out. */
export type WatchedRun = {
  readonly runId: string;
  status(): RunStatus;
  /** Whether nothing more will change. */
  isEnded(): boolean;
  stop(checkpoint: boolean): void;
};

/** Serves RunService to people and programs with a user's certificate. */
export function addRunService(server: Server, run: WatchedRun): void {
  server.addService(grpcMethods(RunService), {
    getRun(
      call: ServerUnaryCall<GetRunRequest, GetRunResponse>,
      reply: sendUnaryData<GetRunResponse>,
    ) {
      const refusal = refuse(call, call.request.runId, run);
      if (refusal) reply(refusal);
      else reply(null, create(GetRunResponseSchema, { status: run.status() }));
    },
    watchRun(call: ServerWritableStream<WatchRunRequest, WatchRunResponse>) {
      const refusal = refuse(call, call.request.runId, run);
      if (refusal) call.emit("error", refusal);
      else watch(call, run);
    },
    stopRun(
      call: ServerUnaryCall<StopRunRequest, StopRunResponse>,
      reply: sendUnaryData<StopRunResponse>,
    ) {
      const refusal = refuse(call, call.request.runId, run);
      if (refusal) {
        reply(refusal);
        return;
      }
      run.stop(call.request.checkpoint);
      reply(null, create(StopRunResponseSchema));
    },
  });
}

function refuse(
  call: Parameters<typeof peerName>[0],
  runId: string,
  run: WatchedRun,
): Partial<ServiceError> | undefined {
  if (!peerName(call)?.startsWith("user:")) {
    return { code: status.PERMISSION_DENIED, details: "a user's certificate is needed" };
  }
  if (runId !== run.runId) {
    const details = `run ${runId} is not here; this coordinator carries out ${run.runId}`;
    return { code: status.NOT_FOUND, details };
  }
  return undefined;
}

function watch(call: ServerWritableStream<WatchRunRequest, WatchRunResponse>, run: WatchedRun) {
  let sent: RunStatus | undefined;
  const send = () => {
    const now = run.status();
    if (now === sent || call.destroyed) return;
    sent = now;
    call.write(create(WatchRunResponseSchema, { status: now }));
  };
  const timer = setInterval(() => {
    send();
    if (!run.isEnded()) return;
    clearInterval(timer);
    call.end();
  }, WATCH_INTERVAL_MS);
  call.on("cancelled", () => clearInterval(timer));
  send();
}
