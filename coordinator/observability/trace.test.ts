import assert from "node:assert/strict";
import test from "node:test";
import {
  type Context,
  createContextKey,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import fc from "fast-check";
import { openTracing, recoverySpans } from "./trace.ts";

const SECONDS = {
  detect: 0.25,
  fence: 0.5,
  plan: 0,
  start: 0.75,
  rendezvous: 0.25,
  load: 2,
  firstStep: 0.25,
};
const RECOVERY = { runId: "r", generation: 3, cause: "rank", endMs: 10_000 } as const;

/** A provider as an SDK registers one, which keeps the spans it was told of. */
function keepSpans() {
  const kept: { name: string; startMs: unknown; endMs: unknown; parent: string | undefined }[] = [];
  const names = new Map<Span, string>();
  const startSpan = (name: string, options: SpanOptions = {}, context: Context = ROOT_CONTEXT) => {
    const above = options.root ? undefined : trace.getSpan(context);
    const span: Span = Object.assign(
      Object.create(trace.wrapSpanContext({ traceId: "", spanId: "", traceFlags: 0 })),
      {
        end: (endMs: unknown) => {
          const parent = above && names.get(above);
          kept.push({ name, startMs: options.startTime, endMs, parent });
        },
      },
    );
    names.set(span, name);
    return span;
  };
  trace.setGlobalTracerProvider({
    getTracer: (): Tracer => ({ startSpan, startActiveSpan: () => createContextKey("") as never }),
  });
  return kept;
}

test("without an SDK a recovery is told to nobody", async () => {
  const tell = await openTracing();
  assert.doesNotThrow(() => tell({ ...RECOVERY, seconds: SECONDS }));
});

test("with an SDK a recovery is one trace: a span, and one below it for every stage", async () => {
  const kept = keepSpans();
  const tell = await openTracing();
  tell({ ...RECOVERY, seconds: SECONDS });
  trace.disable();
  assert.deepEqual(kept.at(-1), {
    ...{ name: "run.recovery", startMs: 6000, endMs: 10_000, parent: undefined },
  });
  assert.deepEqual(kept[0], {
    ...{ name: "run.recovery.detect", startMs: 6000, endMs: 6250, parent: "run.recovery" },
  });
  assert.equal(kept.length, 8);
});

test("stages follow on one another and fill the recovery", () => {
  const span = fc.integer({ min: 0, max: 1000 });
  const any = fc.record({
    ...{
      detect: span,
      fence: span,
      plan: span,
      start: span,
      rendezvous: span,
      load: span,
      firstStep: span,
    },
  });
  fc.assert(
    fc.property(any, (seconds) => {
      const [whole, ...stages] = recoverySpans(1e9, seconds);
      let at = whole.startMs;
      for (const { startMs, endMs } of stages) {
        assert.equal(startMs, at);
        at = endMs;
      }
      assert.equal(at, whole.endMs);
    }),
  );
});
