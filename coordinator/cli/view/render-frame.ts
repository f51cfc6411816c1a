import { formatDuration, formatPercent } from "../../report/format.ts";
import { eventLine } from "./event-line.ts";
import { figures, isEnded, stateName } from "./figures.ts";
import { bar, sparkline } from "./glyphs.ts";
import { heatStrips } from "./heat-strip.ts";
import { type Line, renderLine, span, spread, wrap } from "./line.ts";
import { stageBars } from "./stage-bars.ts";
import { STATE_STYLES } from "./state-styles.ts";
import { type Screen, sanitize } from "./text.ts";
import type { ViewState } from "./view-state.ts";

/**
 * The whole view as lines, at most `rows - 1` of at most `columns`: the cursor
 * stays below the last one without scrolling. Pure.
 */
export function renderFrame(state: ViewState, screen: Screen): string[] {
  const budget = Math.max(1, screen.rows - 1);
  const top = [...heading(state, screen), ...progress(state, screen)];
  const hint: Line[] = isEnded(state.status)
    ? []
    : [[span("Ctrl-C: checkpoint and stop, twice: stop at once", "dim")]];
  const strips = heatStrips(state.metrics?.layers ?? [], screen);
  const roomy = budget >= 19;
  const gap: Line[] = roomy ? [[]] : [];

  let left = budget - top.length - strips.length - hint.length - gap.length * 3;
  const rows = Math.ceil(left / 2);
  const stages =
    state.metrics && state.status ? stageBars(state.status, rows, screen, state.rankOfStage) : [];
  left -= stages.length;
  const events = state.events.slice(-Math.max(0, Math.min(left, 8))).map(eventLine);

  const lines = [
    ...top,
    ...(strips.length > 0 ? gap : []),
    ...strips,
    ...(stages.length > 0 ? gap : []),
    ...stages,
    ...(events.length > 0 ? gap : []),
    ...(left > 0 ? events : []),
  ].slice(0, budget - hint.length);
  return [...lines, ...hint].map((line) => renderLine(line, screen));
}

function heading(state: ViewState, screen: Screen): Line[] {
  const { status } = state;
  const word = stateName(status);
  const title: Line = [
    ...(screen.columns < 60 ? [] : [span("moestro ")]),
    span(sanitize(state.name), "bold"),
    span("  "),
    span(word, STATE_STYLES[word]),
  ];
  const steps =
    status === undefined ? [] : [span(`step ${status.step}/${status.totalSteps}`, "bold")];
  const first = spread(title, steps, screen);
  // Once steps flow, the reason only repeats that they do.
  const quiet = word === "running" && (status?.step ?? 0n) > 0n;
  const second = quiet ? state.layout : (status?.reason ?? "");
  const show = second !== "" && (!quiet || screen.rows >= 16);
  return show ? [first, [span(sanitize(second), "dim")]] : [first];
}

function progress(state: ViewState, screen: Screen): Line[] {
  const { status, metrics, losses } = state;
  if (status === undefined || status.step === 0n) return [];
  const share = Number(status.step) / Number(status.totalSteps);
  const eta = isEnded(status) ? "" : `  ETA ${formatDuration(Number(status.etaMs))}`;
  const text = ` ${formatPercent(share, 1)}${eta}`;
  const width = Math.max(4, screen.columns - text.length);
  const parts = figures(status, metrics).map(
    ({ name, value }): Line => [span(`${name} `, "dim"), span(value)],
  );
  const course = sparkline(losses, Math.max(4, screen.columns - 8), screen.unicode);
  return [
    [span(bar(share, width, screen.unicode), "cyan"), span(text)],
    ...wrap(parts, screen).slice(0, 2),
    [span("loss".padEnd(8), "dim"), span(course, "cyan")],
  ];
}
