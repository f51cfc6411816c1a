import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { formatDuration, formatFixed, formatPercent, formatWhole } from "../../report/format.ts";
import { isEnded, stateName } from "../view/figures.ts";
import { type Line, renderLine, type Style, span } from "../view/line.ts";
import { STATE_STYLES } from "../view/state-styles.ts";
import { clip, displayWidth, type Screen, sanitize } from "../view/text.ts";
import { agentCounts } from "./agent-rows.ts";
import { linkLine } from "./link-line.ts";
import type { WatchState } from "./watch-state.ts";

const HINT = "↑ ↓: choose   enter: open   q: quit";
const MAX_ID = 40;

type Column = {
  title: string;
  cell(run: RunStatus): string;
  style?(run: RunStatus): Style | undefined;
  /** Numbers end at the same place. */
  right?: true;
};

const hasSteps = (run: RunStatus) => run.step > 0n;

/** In their order of importance: those at the end go where there is no room. */
const COLUMNS: readonly Column[] = [
  { title: "run", cell: (run) => sanitize(run.runId) },
  { title: "state", cell: stateName, style: (run) => STATE_STYLES[stateName(run)] },
  { title: "step", cell: (run) => `${run.step}/${run.totalSteps}`, right: true },
  { title: "loss", cell: (run) => (hasSteps(run) ? formatFixed(run.loss, 3) : ""), right: true },
  {
    ...{ title: "ETA", right: true },
    cell: (run) => (hasSteps(run) && !isEnded(run) ? formatDuration(Number(run.etaMs)) : ""),
  },
  { title: "ranks", cell: (run) => (run.numRanks > 0 ? `${run.numRanks}` : ""), right: true },
  {
    ...{ title: "tokens/s", right: true },
    cell: (run) => (run.tokensPerSecond > 0 ? formatWhole(run.tokensPerSecond) : ""),
  },
  { title: "restarts", cell: (run) => `${run.restarts}`, right: true },
  {
    ...{ title: "goodput", right: true },
    cell: (run) => (hasSteps(run) ? formatPercent(run.goodput, 1) : ""),
  },
  { title: "priority", cell: (run) => `${run.priority}`, right: true },
  { title: "owner", cell: (run) => sanitize(run.owner) },
  { title: "layout", cell: (run) => sanitize(run.layout) },
];

/** All runs as lines, at most `rows` of at most `columns`. Pure. */
export function renderRuns(state: WatchState, screen: Screen): string[] {
  const { runs, agents, agentsProblem, chosen } = state;
  const index = Math.max(
    0,
    runs.findIndex(({ runId }) => runId === chosen),
  );
  const counts: Line =
    agentsProblem === undefined
      ? agentCounts(agents)
      : [span("agents  ", "dim"), span(sanitize(agentsProblem), "yellow")];
  const top = [linkLine(state, screen), runCounts(runs), counts, []];
  const why = runs[index] ? sanitize(runs[index].reason) : "";
  const bottom: Line[] = [[span(why)], [span(HINT, "dim")]];
  const space = Math.max(1, screen.rows - top.length - bottom.length - 1);
  // The cursor is always in sight, in the middle of a long list.
  const from = Math.max(0, Math.min(index - Math.floor(space / 2), runs.length - space));
  const rows = runsTable(runs.slice(from, from + space), index - from, screen);
  const body = runs.length > 0 ? rows : [[span(emptyNote(state), "dim")]];
  const fill = Array.from({ length: Math.max(0, space + 1 - body.length) }, (): Line => []);
  return [...top, ...body, ...fill, ...bottom]
    .slice(-Math.max(1, screen.rows))
    .map((line) => renderLine(line, screen));
}

function emptyNote({ link }: WatchState): string {
  return link.phase === "connected"
    ? "There are no runs. Queue one with: moestro submit job.yaml"
    : "Nothing is known of any run yet.";
}

/** How many runs are in each state. */
function runCounts(runs: readonly RunStatus[]): Line {
  const names = [...new Set(runs.map(stateName))];
  const counts = names.map((name) => {
    const count = runs.filter((run) => stateName(run) === name).length;
    return span(`${count} ${name}  `, STATE_STYLES[name]);
  });
  return [span("runs    ", "dim"), ...counts];
}

function runsTable(runs: readonly RunStatus[], chosen: number, screen: Screen): Line[] {
  const columns = COLUMNS.map((column) => {
    const cells = runs.map((run) => clip(column.cell(run), MAX_ID));
    return { ...column, cells, width: Math.max(...[column.title, ...cells].map(displayWidth)) };
  });
  // As many columns as fit behind the cursor's.
  let left = screen.columns - 2;
  const fitting = columns.filter(({ width }, i) => {
    if (i > 0 && width + 2 > left) left = 0;
    else left -= i > 0 ? width + 2 : width;
    return left > 0 || i === 0;
  });
  const heading = fitting.map(({ title, width, right }) => pad(title, width, right)).join("  ");
  const lines = runs.map((run, row): Line => {
    const cells = fitting.map(({ cells, width, right, style }) =>
      span(`${pad(cells[row] ?? "", width, right)}  `, row === chosen ? "bold" : style?.(run)),
    );
    return [span(row === chosen ? "> " : "  ", "bold"), ...cells];
  });
  return [[span(`  ${heading}`, "dim")], ...lines];
}

function pad(text: string, width: number, right: true | undefined): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(text)));
  return right ? space + text : text + space;
}
