import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { formatDuration, formatPercent } from "../../report/format.ts";
import { eventLine } from "../view/event-line.ts";
import { type Figure, figures, isEnded, stateName } from "../view/figures.ts";
import { bar, sparkline } from "../view/glyphs.ts";
import { type Line, renderLine, span, spread, wrap } from "../view/line.ts";
import { stageBars } from "../view/stage-bars.ts";
import { STATE_STYLES } from "../view/state-styles.ts";
import { type Screen, sanitize } from "../view/text.ts";
import { agentRows, ranksByAgent } from "./agent-rows.ts";
import { layerRows } from "./layer-rows.ts";
import { linkLine } from "./link-line.ts";
import { type Part, shareRows } from "./share-rows.ts";
import type { OpenRun, WatchState } from "./watch-state.ts";

const MAX_EVENTS = 8;
const HINT = "esc: all runs   q: quit";

/** A part of the screen that takes the rows it is given. */
type Section = Part & { lines(rows: number): Line[] };

/** One run as lines, at most `rows` of at most `columns`. Pure. */
export function renderRun(state: WatchState, screen: Screen): string[] {
  const { open } = state;
  const top = [linkLine(state, screen), ...(open ? heading(open, screen) : [])];
  const sections = open?.status ? sectionsOf(open, open.status, state, screen) : [];
  const budget = screen.rows - top.length - 1;
  // Rows between the sections, where they take nothing away.
  const wanted = sections.reduce((sum, { most }) => sum + (most > 0 ? most + 1 : 0), 0);
  const gap: Line[] = wanted <= budget ? [[]] : [];
  const rows = shareRows(sections, budget - gap.length * sections.length);
  const body = sections.flatMap((section, i) => {
    const lines = section.lines(rows[i] ?? 0);
    return lines.length > 0 ? [...gap, ...lines] : [];
  });
  const filled = [...top, ...body].slice(0, Math.max(0, screen.rows - 1));
  return [...filled, [span(HINT, "dim")]].map((line) => renderLine(line, screen));
}

function heading({ runId, status, problem, history }: OpenRun, screen: Screen): Line[] {
  if (!status) return [[span(sanitize(runId), "bold")], [span(sanitize(problem ?? ""), "yellow")]];
  const word = stateName(status);
  const name: Line = [span(sanitize(runId), "bold"), span("  "), span(word, STATE_STYLES[word])];
  const step: Line = [span(`step ${status.step}/${status.totalSteps}`, "bold")];
  const why = problem ?? status.reason;
  return [
    spread(name, step, screen),
    [span(sanitize(why), problem === undefined ? "dim" : "yellow")],
    ...(status.step > 0n ? progress(status, history.losses, screen) : []),
  ];
}

function progress(status: RunStatus, losses: readonly number[], screen: Screen): Line[] {
  const share = Number(status.step) / Number(status.totalSteps);
  const eta = isEnded(status) ? "" : `  ETA ${formatDuration(Number(status.etaMs))}`;
  const text = ` ${formatPercent(share, 1)}${eta}`;
  const width = Math.max(4, screen.columns - text.length);
  const parts = [...figures(status, undefined), ...serviceFigures(status)].map(
    ({ name, value }): Line => [span(`${name} `, "dim"), span(value)],
  );
  const course = sparkline(losses, Math.max(4, screen.columns - 8), screen.unicode);
  return [
    [span(bar(share, width, screen.unicode), "cyan"), span(text)],
    ...wrap(parts, screen),
    [span("loss".padEnd(8), "dim"), span(course, "cyan")],
  ];
}

/** What a run has beyond its steps where it is one of a service. */
function serviceFigures(status: RunStatus): Figure[] {
  const { restarts, countedRestarts, maxRestarts, stepsLost } = status;
  return [
    { name: "goodput", value: formatPercent(status.goodput, 1) },
    // All, and those that count of the most that may.
    { name: "restarts", value: `${restarts} (${countedRestarts}/${maxRestarts})` },
    ...(stepsLost > 0n ? [{ name: "steps lost", value: `${stepsLost}` }] : []),
    { name: "generation", value: `${status.generation}` },
    { name: "checkpoint", value: `${status.checkpointStep}` },
    { name: "ranks", value: `${status.numRanks}` },
    { name: "layout", value: sanitize(status.layout) },
  ];
}

/** The most important first: small screens may have no room for the last. */
function sectionsOf(
  open: OpenRun,
  status: RunStatus,
  { agents }: WatchState,
  screen: Screen,
): Section[] {
  const numAgents = ranksByAgent(status.ranks).size;
  const events = open.events.slice(-MAX_EVENTS).map(eventLine);
  const { layers, stages } = status;
  return [
    {
      ...{ least: 3, most: layers.length > 0 ? layers.length + 1 : 0 },
      lines: (rows) => layerRows(layers, open.history, rows, screen),
    },
    {
      ...{ least: 3, most: stages.length > 0 && status.step > 0n ? stages.length + 1 : 0 },
      lines: (rows) => stageRows(status, rows, screen),
    },
    {
      ...{ least: 3, most: numAgents > 0 ? numAgents + 1 : 0 },
      lines: (rows) => agentRows(status, agents, rows, screen.columns),
    },
    {
      ...{ least: 1, most: events.length },
      lines: (rows) => (rows > 0 ? events.slice(-rows) : []),
    },
  ];
}

function stageRows(status: RunStatus, rows: number, screen: Screen): Line[] {
  if (rows < 2) return [];
  const balance = formatPercent(stageBalance(status), 0);
  const title = `stage   compute + communication, balance ${balance}`;
  return [[span(title, "dim")], ...stageBars(status, rows - 1, screen)];
}

/** Mean over most compute of the stages: 1 where all take as long. */
export function stageBalance({ stages }: Pick<RunStatus, "stages">): number {
  const times = stages.map(({ computeMs }) => computeMs);
  const sum = times.reduce((total, time) => total + time, 0);
  return sum / times.length / Math.max(...times);
}
