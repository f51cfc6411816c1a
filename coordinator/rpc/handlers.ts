import { once } from "node:events";
import {
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { type ErrorCode, MoestroError } from "../errors.ts";
import { printable } from "./printable.ts";

const CODES: Record<ErrorCode, status> = {
  invalid_input: status.INVALID_ARGUMENT,
  no_plan: status.OUT_OF_RANGE,
  environment: status.UNAVAILABLE,
  in_use: status.ALREADY_EXISTS,
  run_failed: status.FAILED_PRECONDITION,
  stuck: status.FAILED_PRECONDITION,
  not_found: status.NOT_FOUND,
};

/** The one place where errors become what a caller is told. */
export function statusOf(error: unknown): Partial<ServiceError> {
  if (error instanceof MoestroError) {
    return { code: CODES[error.code], details: error.lines.map(printable).join("\n") };
  }
  const details = printable(`the coordinator failed: ${(error as Error).message}`);
  return { code: status.INTERNAL, details };
}

/** A procedure that answers once. */
export function unary<Request, Response>(
  answer: (request: Request, call: ServerUnaryCall<Request, Response>) => Promise<Response>,
) {
  return (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void => {
    answer(call.request, call).then(
      (response) => reply(null, response),
      (error: unknown) => reply(statusOf(error)),
    );
  };
}

/** A procedure that answers as long as `produce` goes on and its caller listens. */
export function streaming<Request, Response>(
  produce: (
    request: Request,
    send: (response: Response) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>,
) {
  return (call: ServerWritableStream<Request, Response>): void => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    call.on("close", () => gone.abort());
    // A caller that reads slowly is waited for.
    const send = async (response: Response) => {
      if (gone.signal.aborted || call.write(response)) return;
      await once(call, "drain", { signal: gone.signal }).catch(() => {});
    };
    produce(call.request, send, gone.signal).then(
      () => call.end(),
      (error: unknown) => {
        if (!gone.signal.aborted) call.emit("error", statusOf(error));
      },
    );
  };
}
