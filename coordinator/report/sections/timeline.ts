import { byRank, ranksOfStages } from "../chunks.ts";
import { formatFixed, formatPercent } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";
import type { TimelineEventRecord, TimelineRecord, TimelineStageRecord } from "../records.ts";
import { idleShare } from "../stage-figures.ts";
import { card, nothing } from "./card.ts";

/** The measured pipeline schedule of one step: a track a pipeline rank. */
export function timeline({ timeline: record, plan }: RunFiles): Html {
  const events = record?.stages.flatMap((stage) => stage.events) ?? [];
  if (record === undefined || events.length === 0) {
    return card({
      id: "timeline",
      title: "Pipeline timeline",
      wide: true,
      body: nothing("No stage has sent a timeline of a step, so there is no schedule to show."),
    });
  }
  const start = events.reduce((least, event) => Math.min(least, event.startMs), Infinity);
  const end = events.reduce((most, event) => Math.max(most, event.endMs), -Infinity);
  const span = Math.max(end - start, Number.EPSILON);
  const ranks = byRank(plan, record.stages);
  const idle = idleShare(record, ranks.length);
  const isChunked = ranksOfStages(plan) !== undefined;
  const planned = plan?.prediction?.bubbleFraction;
  const predicted =
    planned === undefined ? "" : ` The planner expected ${formatPercent(planned, 0)}.`;
  return card({
    id: "timeline",
    title: "Pipeline timeline",
    wide: true,
    lead: `Step ${record.step} as it ran: ${formatFixed(span, 0)} ms. ${isChunked ? "Pipeline ranks" : "Stages"} were idle ${formatPercent(idle, 0)} of the schedule.${predicted} Numbers are micro-batches.`,
    body: html`<div class="legend" aria-hidden="true"><span class="key forward"></span>forward<span class="key backward"></span>backward<span class="key optimizer"></span>optimizer</div>
<div class="scroll" tabindex="0" role="group" aria-label="${summary(record, span, idle)}"><div class="tracks">
${ranks.map(({ rank, entries }) => track(isChunked ? `rank ${rank}` : `stage ${rank}`, entries, start, span))}
<div class="track axis" aria-hidden="true"><span></span><div class="lane">${ticks(span)}</div></div>
</div></div>`,
  });
}

function summary(record: TimelineRecord, span: number, idle: number): string {
  return `Timeline of step ${record.step} over ${record.stages.length} stages, ${formatFixed(span, 0)} ms, idle ${formatPercent(idle, 0)}.`;
}

function track(
  name: string,
  stages: readonly TimelineStageRecord[],
  start: number,
  span: number,
): Html {
  const blocks = stages.flatMap(({ stage, events }) =>
    events.map((event) => block(event, `stage ${stage}`, start, span)),
  );
  return html`<div class="track"><span>${name}</span><div class="lane">${blocks}</div></div>\n`;
}

function block(event: TimelineEventRecord, stage: string, start: number, span: number): Html {
  const percent = (ms: number) => ((ms / span) * 100).toFixed(3);
  const hasNumber = event.kind !== "optimizer" && event.microBatch >= 0;
  const label = hasNumber ? `${event.kind} of micro-batch ${event.microBatch}` : event.kind;
  const duration = event.endMs - event.startMs;
  const tip = `${stage}, ${label}: ${formatFixed(event.startMs, 1)} to ${formatFixed(event.endMs, 1)} ms (${formatFixed(duration, 1)} ms)`;
  return html`<i class="${event.kind}" data-tip="${tip}" style="left:${percent(event.startMs - start)}%;width:${percent(duration)}%">${hasNumber ? event.microBatch : ""}</i>`;
}

/** Five or so marks at round milliseconds. */
function ticks(span: number): Html[] {
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? span;
  const marks: Html[] = [];
  for (let at = 0; at <= span * 0.97; at += step) {
    const text = `${Number(at.toPrecision(6))} ms`;
    marks.push(html`<b style="left:${((at / span) * 100).toFixed(2)}%">${text}</b>`);
  }
  return marks;
}
