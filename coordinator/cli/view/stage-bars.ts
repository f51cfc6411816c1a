import type { RunStatus, StageStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { formatBytes, formatFixed } from "../../report/format.ts";
import { type Line, span } from "./line.ts";
import type { Screen } from "./text.ts";

/**
 * A line a stage, at most `rows`: compute and communication of the last step.
 *
 * @param rankOfStage where pipeline ranks hold several stages
 */
export function stageBars(
  status: RunStatus,
  rows: number,
  screen: Screen,
  rankOfStage?: readonly number[],
): Line[] {
  const longest = Math.max(
    ...status.stages.map((stage) => stage.computeMs + stage.communicationMs),
    Number.MIN_VALUE,
  );
  const lines = status.stages.map((stage) =>
    stageLine(stage, rankOfStage?.[stage.stage], longest, screen),
  );
  if (lines.length <= rows) return lines;
  const hidden = lines.length - rows + 1;
  return rows < 1 ? [] : [...lines.slice(0, rows - 1), [span(`and ${hidden} more stages`, "dim")]];
}

function stageLine(
  stage: StageStatus,
  rank: number | undefined,
  longest: number,
  screen: Screen,
): Line {
  const { computeMs, communicationMs } = stage;
  const place = rank === undefined ? "" : ` on rank ${rank}`.padEnd(11);
  const label = `stage ${stage.stage}`.padEnd(8) + place;
  const layers = screen.columns < 60 ? "" : `${stage.numLayers} layers`.padEnd(11);
  const times = `  ${formatFixed(computeMs, 0)} + ${formatFixed(communicationMs, 0)} ms`;
  const memory = screen.columns < 60 ? "" : `  ${formatBytes(Number(stage.peakMemoryBytes))}`;
  const width = Math.max(4, screen.columns - label.length - layers.length - 28);
  const cells = (ms: number) => Math.round((ms / longest) * width) || 0;
  const compute = cells(computeMs);
  // Rounded together, so that the two never pass the longest bar.
  const communication = Math.max(0, cells(computeMs + communicationMs) - compute);
  const [full, part] = screen.unicode ? ["█", "▒"] : ["#", "-"];
  return [
    span(label + layers, "dim"),
    span(full.repeat(compute), "blue"),
    span(part.repeat(communication), "yellow"),
    span(times + memory),
  ];
}
