import { create, equals } from "@bufbuild/protobuf";
import type { Server } from "@grpc/grpc-js";
import {
  type GetRunRequest,
  type GetRunResponse,
  GetRunResponseSchema,
  type ListRunsRequest,
  type ListRunsResponse,
  ListRunsResponseSchema,
  type ReadLogRequest,
  type ReadLogResponse,
  ReadLogResponseSchema,
  type ResumeRunRequest,
  type ResumeRunResponse,
  ResumeRunResponseSchema,
  RunService,
  RunState,
  type RunStatus,
  RunStatusSchema,
  type SaveCheckpointRequest,
  type SaveCheckpointResponse,
  SaveCheckpointResponseSchema,
  type ScaleRunRequest,
  type ScaleRunResponse,
  ScaleRunResponseSchema,
  type StopRunRequest,
  type StopRunResponse,
  StopRunResponseSchema,
  type SubmitRunRequest,
  type SubmitRunResponse,
  SubmitRunResponseSchema,
  type SuspendRunRequest,
  type SuspendRunResponse,
  SuspendRunResponseSchema,
  type WatchEventsRequest,
  type WatchEventsResponse,
  WatchEventsResponseSchema,
  type WatchRunRequest,
  type WatchRunResponse,
  WatchRunResponseSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import type { LogChunk } from "../run/follow-logs.ts";
import { streaming, unary } from "./handlers.ts";
import { peerOf } from "./peer.ts";

/** Between two statuses of one watcher; changes in between are seen in the next. */
const WATCH_INTERVAL_MS = 250;

/** The runs of a coordinator. Everything fails with a MoestroError that says why. */
export interface Runs {
  status(runId: string): Promise<RunStatus>;
  list(): Promise<RunStatus[]>;
  /** Returns the run's id. */
  submit(request: SubmitRunRequest, owner: string): Promise<string>;
  stop(runId: string, checkpoint: boolean): Promise<void>;
  suspend(runId: string): Promise<void>;
  resume(runId: string): Promise<void>;
  scale(runId: string, minRanks: number, maxRanks: number): Promise<void>;
  saveCheckpoint(runId: string): Promise<void>;
  /** Lines of events.jsonl, without their ends. */
  events(runId: string, follow: boolean, signal: AbortSignal): AsyncIterable<string>;
  /** What a rank printed, or all of them. */
  log(request: ReadLogRequest, signal: AbortSignal): AsyncIterable<LogChunk>;
}

/** Serves RunService; who may call what is the guard's. */
export function addRunService(server: Server, runs: Runs): void {
  server.addService(grpcMethods(RunService), {
    getRun: unary<GetRunRequest, GetRunResponse>(async ({ runId }) =>
      create(GetRunResponseSchema, { status: await runs.status(runId) }),
    ),
    listRuns: unary<ListRunsRequest, ListRunsResponse>(async () =>
      create(ListRunsResponseSchema, { runs: await runs.list() }),
    ),
    watchRun: streaming<WatchRunRequest, WatchRunResponse>(({ runId }, send, signal) =>
      watch(runs, runId, send, signal),
    ),
    submitRun: unary<SubmitRunRequest, SubmitRunResponse>(async (request, call) => {
      const runId = await runs.submit(request, peerOf(call)?.id ?? "");
      return create(SubmitRunResponseSchema, { runId });
    }),
    stopRun: unary<StopRunRequest, StopRunResponse>(async ({ runId, checkpoint }) => {
      await runs.stop(runId, checkpoint);
      return create(StopRunResponseSchema);
    }),
    suspendRun: unary<SuspendRunRequest, SuspendRunResponse>(async ({ runId }) => {
      await runs.suspend(runId);
      return create(SuspendRunResponseSchema);
    }),
    resumeRun: unary<ResumeRunRequest, ResumeRunResponse>(async ({ runId }) => {
      await runs.resume(runId);
      return create(ResumeRunResponseSchema);
    }),
    scaleRun: unary<ScaleRunRequest, ScaleRunResponse>(async ({ runId, minRanks, maxRanks }) => {
      await runs.scale(runId, minRanks, maxRanks);
      return create(ScaleRunResponseSchema);
    }),
    saveCheckpoint: unary<SaveCheckpointRequest, SaveCheckpointResponse>(async ({ runId }) => {
      await runs.saveCheckpoint(runId);
      return create(SaveCheckpointResponseSchema);
    }),
    watchEvents: streaming<WatchEventsRequest, WatchEventsResponse>(
      async ({ runId, follow }, send, signal) => {
        for await (const line of runs.events(runId, follow, signal)) {
          await send(create(WatchEventsResponseSchema, { line }));
        }
      },
    ),
    readLog: streaming<ReadLogRequest, ReadLogResponse>(async (request, send, signal) => {
      for await (const { chunk, generation } of runs.log(request, signal)) {
        await send(create(ReadLogResponseSchema, { chunk, generation: BigInt(generation) }));
      }
    }),
  });
}

async function watch(
  runs: Runs,
  runId: string,
  send: (response: WatchRunResponse) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let sent: RunStatus | undefined;
  while (!signal.aborted) {
    const status = await runs.status(runId);
    if (!sent || !equals(RunStatusSchema, status, sent)) {
      await send(create(WatchRunResponseSchema, { status }));
    }
    sent = status;
    if (isOver(status)) return;
    await new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL_MS));
  }
}

function isOver({ state }: RunStatus): boolean {
  return [RunState.SUCCEEDED, RunState.STOPPED, RunState.FAILED].includes(state);
}
