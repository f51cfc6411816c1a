import type { LayerStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { formatPercent, formatSmall } from "../../report/format.ts";
import { mean, resample } from "../view/glyphs.ts";
import { dropStyle, heatCells } from "../view/heat-strip.ts";
import { type Line, type Style, span } from "../view/line.ts";
import type { Screen } from "../view/text.ts";
import type { History, LayerStep } from "./history.ts";

const LABEL = 13;
/** Behind a strip: the last value, two spaces on each side. */
const VALUE = 11;
/** An expert's load is shown from none to twice the even share, which is half a cell high. */
const LOAD_TOP = 2;
const EVEN_NOTE = "expert load, grey is even";

/** Grey is even; cold experts are as much worth a look as hot ones. */
function loadStyle(share: number): Style {
  if (share >= 1.5) return "magenta";
  if (share >= 1.2) return "yellow";
  return share <= 0.5 ? "blue" : "dim";
}

/** A heading, then at most `rows - 1` lines: drop rate and α over recent steps, load by expert. */
export function layerRows(
  layers: readonly LayerStatus[],
  history: History,
  rows: number,
  screen: Screen,
): Line[] {
  if (layers.length === 0 || rows < 2) return [];
  const groups = groupsOf(layers, rows - 1);
  const width = Math.max(4, Math.floor((screen.columns - LABEL - 2 * VALUE) / 3));
  const seen = groups.map((group) => worstOf(group, history, width));
  const dropTop = topOf(seen.flatMap((steps) => steps.map(({ dropRate }) => dropRate)));
  const alphaTop = topOf(seen.flatMap((steps) => steps.map(({ coefficient }) => coefficient)));
  const alpha = screen.unicode ? "α" : "alpha";
  const heading = [
    "layer".padEnd(LABEL),
    ...["drop rate, recent steps", `${alpha}, recent steps`].map((title) =>
      fit(title, width + VALUE),
    ),
    width > EVEN_NOTE.length ? EVEN_NOTE : "expert load",
  ].join("");
  const lines = groups.map((group, i): Line => {
    const steps = seen[i] ?? [];
    const cells = (values: number[], top: number, style: (value: number) => Style) => [
      ...heatCells(values, top, style, screen.unicode),
      span(" ".repeat(width - values.length)),
    ];
    const value = (text: string) => span(`  ${text}`.padEnd(VALUE), "dim");
    const drops = steps.map(({ dropRate }) => dropRate);
    const alphas = steps.map(({ coefficient }) => coefficient);
    return [
      span(labelOf(group).padEnd(LABEL), "dim"),
      ...cells(drops, dropTop, dropStyle),
      value(formatPercent(drops.at(-1) ?? Number.NaN)),
      ...cells(alphas, alphaTop, () => "cyan"),
      value(formatSmall(alphas.at(-1) ?? Number.NaN)),
      ...heatCells(
        resample(leastEven(group), width, mostUneven),
        LOAD_TOP,
        loadStyle,
        screen.unicode,
      ),
    ];
  });
  return [[span(heading, "dim")], ...lines];
}

/** Neighbouring layers share a line where there are more layers than lines. */
function groupsOf(layers: readonly LayerStatus[], rows: number): LayerStatus[][] {
  const count = Math.min(rows, layers.length);
  const start = (group: number) => Math.floor((group * layers.length) / count);
  return Array.from({ length: count }, (_, i) => layers.slice(start(i), start(i + 1)));
}

function labelOf(group: readonly LayerStatus[]): string {
  const [first, last] = [group[0]?.layer, group.at(-1)?.layer];
  return first === last ? `layer ${first}` : `layers ${first}–${last}`;
}

/** The worst of the group's layers in each of the last steps. */
function worstOf(group: readonly LayerStatus[], history: History, width: number): LayerStep[] {
  const all = group.map(({ layer }) => (history.layers.get(layer) ?? []).slice(-width));
  const length = Math.min(...all.map((steps) => steps.length));
  return Array.from({ length }, (_, i) => {
    const steps = all.map((one) => one.at(i - length)).filter((step) => step !== undefined);
    return {
      dropRate: Math.max(...steps.map(({ dropRate }) => dropRate)),
      coefficient: Math.max(...steps.map(({ coefficient }) => coefficient)),
    };
  });
}

/** Loads relative to the even share, of the group's layer whose busiest expert is busiest. */
function leastEven(group: readonly LayerStatus[]): number[] {
  const shares = group.map(({ load }) => {
    const loads = load.map(Number);
    const even = mean(loads);
    return loads.map((one) => (even > 0 ? one / even : Number.NaN));
  });
  const busiest = (one: readonly number[]) => Math.max(0, ...one);
  return shares.reduce((worst, one) => (busiest(one) > busiest(worst) ? one : worst), []);
}

/** Where experts share a cell, the one furthest from even is shown. */
function mostUneven(shares: readonly number[]): number {
  return shares.reduce((worst, one) => (Math.abs(one - 1) > Math.abs(worst - 1) ? one : worst), 1);
}

function topOf(values: readonly number[]): number {
  return Math.max(...values.filter(Number.isFinite), Number.MIN_VALUE);
}

function fit(text: string, width: number): string {
  return text.slice(0, width - 1).padEnd(width);
}
