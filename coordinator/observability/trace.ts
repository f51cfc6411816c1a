import type { Tracer } from "@opentelemetry/api";
import type { RecoverySeconds } from "../run/recovery-times.ts";
import type { RestartCause } from "./telemetry.ts";

export type RecoveryTrace = {
  runId: string;
  /** The one that recovered. */
  generation: number;
  cause: RestartCause;
  /** When the first new step was reported; of `Date.now()`. */
  endMs: number;
  seconds: RecoverySeconds;
};

export type TracedSpan = { name: string; startMs: number; endMs: number };

/** Tells an operator's tracing of a recovery that is over. Neither throws nor waits. */
export type TraceRecovery = (recovery: RecoveryTrace) => void;

/**
 * One trace a recovery, through the global tracer of OpenTelemetry: it goes where the SDK
 * sends it that the operator has Node load first (`NODE_OPTIONS="--import ./otel.mjs"`),
 * and nowhere without one.
 */
export async function openTracing(): Promise<TraceRecovery> {
  let tracer: Tracer;
  try {
    const { trace, context } = await import("@opentelemetry/api");
    tracer = trace.getTracer("moestro");
    return (recovery) => {
      const [whole, ...stages] = recoverySpans(recovery.endMs, recovery.seconds);
      const { runId, generation, cause } = recovery;
      const attributes = {
        "moestro.run": runId,
        "moestro.generation": generation,
        "moestro.cause": cause,
      };
      const parent = tracer.startSpan(whole.name, {
        root: true,
        startTime: whole.startMs,
        attributes,
      });
      const within = trace.setSpan(context.active(), parent);
      for (const { name, startMs, endMs } of stages) {
        tracer.startSpan(name, { startTime: startMs, attributes }, within).end(endMs);
      }
      parent.end(whole.endMs);
    };
  } catch {
    return () => {};
  }
}

/** The recovery and its stages, which follow on one another, back from its end. */
export function recoverySpans(
  endMs: number,
  seconds: RecoverySeconds,
): [TracedSpan, ...TracedSpan[]] {
  const stages: TracedSpan[] = [];
  let startMs = endMs;
  for (const [stage, span] of Object.entries(seconds).toReversed()) {
    const stageEndMs = startMs;
    startMs -= span * 1000;
    stages.unshift({ name: `run.recovery.${stage}`, startMs, endMs: stageEndMs });
  }
  return [{ name: "run.recovery", startMs, endMs }, ...stages];
}
