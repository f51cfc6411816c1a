import { type Html, html, trusted } from "../../../coordinator/report/html.ts";
import type { Curve } from "./curve.ts";
import { linearScale, logScale, type Scale } from "./scale.ts";

/** Colours and dashes there are for lines. */
export const NUM_STYLES = 4;

/** A line with its band; `style` is below NUM_STYLES. */
export type ChartLine = { name: string; style: number; curve: Curve };

export type Panel = { title: string; lines: ChartLine[] };

/** Panels side by side on one vertical scale, over steps. */
export type Chart = {
  /** A word; unique in a page. */
  id: string;
  title: string;
  /** What a person who does not see the picture should know. */
  summary: string;
  panels: Panel[];
  lastStep: number;
  format: (value: number) => string;
  vertical: "from-zero" | "fitted" | "logarithmic";
  /** Steps before it neither set the vertical scale nor are all seen. */
  scaledFromStep?: number;
};

const WIDTH = 880;
const HEIGHT = 320;
/** Around and between the panels. */
const EDGE = { left: 62, right: 16, top: 66, bottom: 42, between: 28 };
/** Curves of few points have each marked. */
const MAX_MARKED_POINTS = 20;

/** The report's colours; dashes tell lines apart without them. It brings its own background. */
const STYLE = `
.claim { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
.claim .back { fill: #ffffff; }
.claim text { fill: #59626e; }
.claim .title { fill: #1a1f26; font-weight: 600; }
.claim .grid { stroke: #e1e5ea; }
.claim .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.claim .band { stroke: none; fill-opacity: 0.16; }
.claim .line0, .claim .dot0 { stroke: #0069a8; }
.claim .line1, .claim .dot1 { stroke: #b84a00; stroke-dasharray: 7 4; }
.claim .line2, .claim .dot2 { stroke: #00785a; stroke-dasharray: 2 3; }
.claim .line3, .claim .dot3 { stroke: #7a3e9d; stroke-dasharray: 10 3 2 3; }
.claim .band0, .claim .dot0 { fill: #0069a8; }
.claim .band1, .claim .dot1 { fill: #b84a00; }
.claim .band2, .claim .dot2 { fill: #00785a; }
.claim .band3, .claim .dot3 { fill: #7a3e9d; }
.claim .dot { stroke: none; }
@media (prefers-color-scheme: dark) {
  .claim .back { fill: #171b22; }
  .claim text { fill: #9aa4b1; }
  .claim .title { fill: #e6e9ee; }
  .claim .grid { stroke: #2a313b; }
  .claim .band { fill-opacity: 0.22; }
  .claim .line0 { stroke: #56b4e9; }
  .claim .line1 { stroke: #e69f00; }
  .claim .line2 { stroke: #3cc49b; }
  .claim .line3 { stroke: #c59be6; }
  .claim .band0, .claim .dot0 { fill: #56b4e9; }
  .claim .band1, .claim .dot1 { fill: #e69f00; }
  .claim .band2, .claim .dot2 { fill: #3cc49b; }
  .claim .band3, .claim .dot3 { fill: #c59be6; }
}
`;

/** One SVG of a few kilobytes that stands by itself, in light and in dark. */
export function svgChart(chart: Chart): Html {
  const { panels } = chart;
  const room = WIDTH - EDGE.left - EDGE.right - EDGE.between * (panels.length - 1);
  const width = room / panels.length;
  const y = verticalScale(chart);
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" class="claim" role="img" aria-label="${chart.summary}">
<title>${chart.title}</title>
<style>${trusted(STYLE)}</style>
<rect class="back" width="${WIDTH}" height="${HEIGHT}" rx="8"/>
<text class="title" x="16" y="26">${chart.title}</text>
${legend(panels[0]?.lines ?? [])}
${panels.map((panel, index) => {
  const left = EDGE.left + index * (width + EDGE.between);
  const x = linearScale([0, chart.lastStep], [left, left + width], 5);
  const place = { id: `${chart.id}-${index}`, left, width };
  return drawPanel(place, panel, x, y, index === 0 ? chart.format : undefined);
})}</svg>
`;
}

function curvesOf({ panels }: Chart): Curve[] {
  return panels.flatMap(({ lines }) => lines.map(({ curve }) => curve));
}

function verticalScale(chart: Chart): Scale {
  const from = chart.scaledFromStep ?? 0;
  const seen = curvesOf(chart).flatMap(({ steps, min, max }) =>
    steps.flatMap((step, i) => (step < from ? [] : [min[i] ?? Number.NaN, max[i] ?? Number.NaN])),
  );
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  const places = [HEIGHT - EDGE.bottom, EDGE.top] as const;
  if (chart.vertical === "logarithmic") return logScale([least / 1.3, most * 1.3], places);
  const margin = 0.06 * (most - least || Math.abs(most) || 1);
  const low = chart.vertical === "from-zero" ? Math.min(0, least) : least - margin;
  return linearScale([low, most + margin], places, 6);
}

/** At the right of the title. */
function legend(lines: readonly ChartLine[]): Html {
  const entry = 148;
  const start = WIDTH - EDGE.right - entry * lines.length;
  return html`${lines.map(({ name, style }, index) => {
    const x = start + index * entry;
    return html`<path class="line line${style}" d="M${x} 22h28"/><text x="${x + 36}" y="26">${name}</text>`;
  })}`;
}

/** Without a format the rules have no figures. */
function drawPanel(
  { id, left, width }: { id: string; left: number; width: number },
  { title, lines }: Panel,
  x: Scale,
  y: Scale,
  format: ((value: number) => string) | undefined,
): Html {
  const bottom = HEIGHT - EDGE.bottom;
  const rules = y.ticks.map((tick) => {
    const at = round(y.place(tick));
    const label = format
      ? html`<text x="${round(left - 8)}" y="${at + 4}" text-anchor="end">${format(tick)}</text>`
      : undefined;
    return html`<path class="grid" d="M${round(left)} ${at}h${round(width)}"/>${label}`;
  });
  const steps = x.ticks.map(
    (tick) =>
      html`<text x="${round(x.place(tick))}" y="${bottom + 18}" text-anchor="middle">${tick}</text>`,
  );
  return html`<g><text class="title" x="${round(left)}" y="${EDGE.top - 10}">${title}</text>
${rules}${steps}<text x="${round(left + width / 2)}" y="${HEIGHT - 8}" text-anchor="middle">step</text>
<clipPath id="${id}"><rect x="${round(left)}" y="${EDGE.top - 4}" width="${round(width + 4)}" height="${bottom - EDGE.top + 5}"/></clipPath>
<g clip-path="url(#${id})">
${lines.map(({ style, curve }) => band(style, curve, x, y))}${lines.map(({ style, curve }) => line(style, curve, x, y))}</g></g>
`;
}

function band(style: number, { steps, min, max }: Curve, x: Scale, y: Scale): Html {
  const top = points(steps, max, x, y);
  const back = points(steps, min, x, y).reverse();
  return html`<path class="band band${style}" d="M${[...top, ...back].join("L")}Z"/>\n`;
}

function line(style: number, { steps, mean }: Curve, x: Scale, y: Scale): Html {
  const places = points(steps, mean, x, y);
  const dots =
    places.length > MAX_MARKED_POINTS
      ? undefined
      : places.map((place) => {
          const [cx = "", cy = ""] = place.split(" ");
          return html`<circle class="dot dot${style}" cx="${cx}" cy="${cy}" r="3"/>`;
        });
  return html`<path class="line line${style}" d="M${places.join("L")}"/>${dots}\n`;
}

function points(steps: readonly number[], values: readonly number[], x: Scale, y: Scale): string[] {
  return steps.map((step, index) => {
    const value = values[index] ?? Number.NaN;
    return `${round(x.place(step))} ${round(y.place(value))}`;
  });
}

/** A tenth of a pixel. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
