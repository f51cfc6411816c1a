import { relative } from "node:path";
import type { SummaryRecord } from "../report/records.ts";

export type EpilogueInput = {
  summary: SummaryRecord;
  /** The job file as the user typed it. */
  jobFile: string;
  directory: string;
  report: string | undefined;
};

/** What a person reads when a run has ended: the figures, the sample, where things lie. */
export function epilogue({ summary, jobFile, directory, report }: EpilogueInput): string {
  const number = (value: number | null, digits: number) => value?.toFixed(digits) ?? "-";
  const percent = (rate: number | null) => (rate === null ? "-" : `${(rate * 100).toFixed(2)} %`);
  const lines = [
    `run ${summary.runId}: ${summary.status} at step ${summary.steps}: ${summary.reason}`,
    `  loss             ${number(summary.firstLoss, 3)} -> ${number(summary.finalLoss, 3)} nats/token`,
    `  validation loss  ${number(summary.validationLoss, 3)} nats/token`,
    `  drop rate        ${percent(summary.meanDropRateFirst)} -> ${percent(summary.meanDropRateLast)} (first and last tenth of the steps)`,
    `  speed            ${number(summary.tokensPerSecond, 0)} tokens/s, ${number(summary.trainSeconds, 0)} s of training`,
  ];
  if (summary.sample) lines.push("", "sampled from the model:", indent(printable(summary.sample)));
  const open = report === undefined ? "" : `; open ${short(report)}`;
  lines.push("", `everything lies in ${short(directory)}${open}`);
  if (summary.status !== "succeeded") {
    lines.push(`continue with: npx moestro train ${jobFile} --resume ${summary.runId}`);
  }
  return lines.join("\n");
}

function short(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}

/** A model's text may hold control characters; a terminal would obey them. */
function printable(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{Cc}/gu, "\uFFFD");
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  | ");
}
