import { formatPercent, formatSmall } from "../../report/format.ts";
import type { LayerRecord } from "../../report/records.ts";
import { column, resample } from "./glyphs.ts";
import { type Line, type Span, type Style, span } from "./line.ts";
import type { Screen } from "./text.ts";

/** Columns before a strip. */
const LABEL = 8;
/** Columns kept behind it for its range. */
const RANGE = 22;

/** The drop rate at which the controller's α saturates (ξ·d = α_max at 5 %). */
const SATURATED = 0.05;

/** Colours that differ in lightness too: fine, worth a look, α saturated. */
export function dropStyle(rate: number): Style {
  if (rate >= SATURATED) return "magenta";
  return rate >= 0.01 ? "yellow" : "cyan";
}

/** Two lines, a cell a layer: drop rate and coefficient, shallow to deep. */
export function heatStrips(layers: readonly LayerRecord[], screen: Screen): Line[] {
  if (layers.length === 0) return [];
  return [
    strip(
      "drop",
      layers.map((layer) => layer.dropRate),
      dropStyle,
      (rate) => formatPercent(rate),
      screen,
    ),
    strip(
      "α",
      layers.map((layer) => layer.auxCoeff),
      () => "cyan",
      formatSmall,
      screen,
    ),
  ];
}

function strip(
  name: string,
  values: readonly number[],
  style: (value: number) => Style,
  format: (value: number) => string,
  screen: Screen,
): Line {
  const width = Math.max(4, screen.columns - LABEL - RANGE);
  // Where layers share a cell, the worst of them is shown.
  const shown = resample(values, width, (neighbours) => Math.max(...neighbours));
  const top = Math.max(...shown.filter(Number.isFinite), Number.MIN_VALUE);
  const cells = heatCells(shown, top, style, screen.unicode);
  const label = screen.unicode ? name : name.replace("α", "alpha");
  return [
    span(label.padEnd(LABEL), "dim"),
    ...cells,
    span(`  ${format(Math.min(...values))}–${format(Math.max(...values))}`, "dim"),
  ];
}

/** A cell a value, as high as its share of `top`. */
export function heatCells(
  values: readonly number[],
  top: number,
  style: (value: number) => Style,
  unicode: boolean,
): Span[] {
  const cells: Span[] = [];
  for (const value of values) {
    const cell = span(column(value / top, unicode), style(value));
    const last = cells.at(-1);
    // Neighbours of one colour share their escapes.
    if (last?.style === cell.style)
      cells[cells.length - 1] = { ...cell, text: (last?.text ?? "") + cell.text };
    else cells.push(cell);
  }
  return cells;
}
