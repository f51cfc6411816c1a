import { describeLayout } from "../describe-plan.ts";
import { formatCount } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";
import type { RunOutcome } from "../records.ts";

const BADGES: Record<RunOutcome | "unfinished", { sign: string; word: string }> = {
  succeeded: { sign: "✓", word: "succeeded" },
  stopped: { sign: "■", word: "stopped" },
  failed: { sign: "✕", word: "failed" },
  unfinished: { sign: "…", word: "not ended" },
};

/** Who, how it ended and why, and what was trained on what. */
export function header(run: RunFiles): Html {
  const { summary } = run;
  const state = summary?.status ?? "unfinished";
  const badge = BADGES[state];
  const reason =
    summary?.reason ??
    "There is no summary: the run goes on, or it was ended before it could write one.";
  return html`<header>
<p class="brand">moestro run report</p>
<h1><bdi>${runName(run)}</bdi> <span class="badge ${state}"><span aria-hidden="true">${badge.sign}</span> ${badge.word}</span></h1>
<p class="reason ${state}"><bdi>${reason}</bdi></p>
<dl class="facts">${facts(run).map(([name, value]) => html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>
</header>
`;
}

/** The job's name, also before there is a summary. */
export function runName(run: RunFiles): string {
  return run.summary?.name ?? "Training run";
}

function facts(run: RunFiles): [string, string][] {
  const found: [string, string | undefined][] = [
    ["Model", describeModel(run)],
    ["Layout", run.plan && describeLayout(run.plan)],
    ["Data", run.dataPrepared?.message],
    ["Run", run.summary?.runId],
    ["Started", run.firstEvent && formatTime(run.firstEvent.time)],
  ];
  return found.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

function describeModel({ plan, metrics }: RunFiles): string | undefined {
  if (plan?.prediction === undefined) return undefined;
  const { totalParameters, activeParameters } = plan.prediction;
  const numLayers = plan.stages.reduce((total, stage) => total + stage.numLayers, 0);
  const numExperts = metrics[0]?.layers[0]?.expertLoad.length;
  const experts = numExperts === undefined ? "" : ` with ${numExperts} experts each`;
  return (
    `${formatCount(Number(totalParameters))} parameters, ` +
    `${formatCount(Number(activeParameters))} active a token; ${numLayers} layers${experts}.`
  );
}

/** 2026-11-24 05:37:45 UTC; what is no time is shown as it is. */
function formatTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
