import type { PlanDocument } from "../plan-document.ts";
import type { Chart, ChartBlock, ChartRank } from "./chart.ts";

/** The fields of Chrome's trace event format that are written here; times in microseconds. */
export interface TraceEvent {
  name: string;
  cat?: string;
  /** X a span, C a counter, M a name. */
  ph: "X" | "C" | "M";
  pid: number;
  tid: number;
  ts?: number;
  dur?: number;
  args?: Record<string, string | number>;
}

/**
 * A schedule as Chrome trace JSON, to open in Perfetto: a process for each
 * pipeline rank, whose compute stream nests recompute in backward, and a memory
 * counter.
 */
export function exportPerfetto(document: PlanDocument, chart: Chart): string {
  const events = chart.ranks.flatMap((rank) => [...names(rank), ...spans(rank), ...memory(rank)]);
  return `${JSON.stringify({
    displayTimeUnit: "ms",
    otherData: { job: document.job, model: document.model.name, cluster: document.cluster.name },
    traceEvents: events,
  })}\n`;
}

const COMPUTE = 0;

function names({ rank }: ChartRank): TraceEvent[] {
  return [
    { name: "process_name", ph: "M", pid: rank, tid: 0, args: { name: `pipeline rank ${rank}` } },
    { name: "process_sort_index", ph: "M", pid: rank, tid: 0, args: { sort_index: rank } },
    { name: "thread_name", ph: "M", pid: rank, tid: COMPUTE, args: { name: "compute" } },
  ];
}

function spans({ rank, blocks }: ChartRank): TraceEvent[] {
  return blocks.flatMap((block) => {
    const place = { ph: "X", pid: rank, tid: COMPUTE } as const;
    const whole: TraceEvent = {
      ...place,
      ...timesOf(block.startMs, block.endMs),
      name: nameOf(block),
      cat: block.kind,
      args: { microBatch: block.microBatch, chunk: block.chunk },
    };
    if (block.recomputeMs <= 0) return [whole];
    const end = Math.min(block.endMs, block.startMs + block.recomputeMs);
    return [
      whole,
      { ...place, ...timesOf(block.startMs, end), name: "recompute", cat: "recompute" },
    ];
  });
}

function nameOf({ kind, microBatch, chunk }: ChartBlock): string {
  return microBatch < 0 ? kind : `${kind} ${microBatch}${chunk > 0 ? ` of chunk ${chunk}` : ""}`;
}

/** Whole nanoseconds, so that the end of one span and the start of the next agree. */
function timesOf(startMs: number, endMs: number): { ts: number; dur: number } {
  const [start, end] = [Math.round(startMs * 1e6), Math.round(endMs * 1e6)];
  return { ts: start / 1e3, dur: (end - start) / 1e3 };
}

function memory({ rank, memory: steps }: ChartRank): TraceEvent[] {
  return steps.map(({ atMs, bytes }) => ({
    name: "memory (GiB)",
    ph: "C",
    pid: rank,
    tid: COMPUTE,
    ts: Math.round(atMs * 1e6) / 1e3,
    args: { GiB: Number((bytes / 2 ** 30).toFixed(4)) },
  }));
}
