// A line chart over steps on uPlot: shared cross-hair, hover box, arrow keys.

/** @typedef {import("../page-data.ts").Series} Series */
/**
 * @typedef {object} Line
 * @property {string} name
 * @property {Series} values
 * @property {string} color
 * @property {number} [width]
 * @property {boolean} [points] few values far apart: mark each
 */
/**
 * @typedef {object} LineChart
 * @property {HTMLElement} host
 * @property {number} height
 * @property {number[]} steps
 * @property {Line[]} lines
 * @property {(value: number) => string} format
 * @property {boolean} [fromZero]
 */

const Plot = /** @type {typeof import("uplot")} */ (Reflect.get(globalThis, "uPlot"));

/** Lines up to which each is named in the hover box and can be switched off. */
const MAX_NAMED_LINES = 16;

/**
 * @param {LineChart} chart
 * @returns {() => void} takes the chart away again
 */
function drawLineChart({ host, height, steps, lines, format, fromZero = false }) {
  host.dataset.ownTip = "";
  const [soft, grid] = [cssColor("--soft"), cssColor("--line")];
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: soft, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const area = document.createElement("div");
  const plot = new Plot(
    {
      width: host.clientWidth,
      height,
      legend: { show: false },
      padding: [8, 22, 0, 0],
      cursor: { sync: { key: "steps" }, y: false, points: { size: 6 } },
      scales: {
        x: { time: false },
        y: {
          range: (_, low, high) => {
            const bottom = fromZero ? Math.min(0, low ?? 0) : (low ?? 0);
            const top = high ?? 1;
            const room = (top - bottom || Math.abs(top) || 1) * 0.06;
            return [fromZero && bottom === 0 ? 0 : bottom - room, top + room];
          },
        },
      },
      axes: [
        {
          ...axis,
          size: 30,
          values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : "")),
        },
        { ...axis, size: 62, values: (_, ticks) => ticks.map(format) },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          label: line.name,
          stroke: line.color,
          width: line.width ?? 1.5,
          spanGaps: line.points ?? false,
          points: { show: isMarked(line.values, line.points ?? false), size: 6, fill: line.color },
        })),
      ],
    },
    [steps, ...lines.map((line) => line.values)],
    area,
  );
  const chips = lines.length > 1 ? drawChips(lines, plot) : undefined;
  host.replaceChildren(...(chips === undefined ? [] : [chips]), area);

  /** @param {number} index @param {number} x @param {number} y */
  const tellAt = (index, x, y) => {
    const values = lines
      .map((line, i) => ({
        name: line.name,
        value: line.values[index],
        shown: plot.series[i + 1]?.show,
      }))
      .filter(({ value, shown }) => shown && value !== null && value !== undefined);
    const named = values
      .slice(0, MAX_NAMED_LINES)
      .map(({ name, value }) => `${name}: ${format(Number(value))}`);
    const rest = values.length > named.length ? [`and ${values.length - named.length} more`] : [];
    showTip([`step ${steps[index]}`, ...named, ...rest].join("\n"), x, y);
  };
  plot.over.addEventListener("mousemove", (event) => {
    const index = plot.cursor.idx;
    if (typeof index === "number") tellAt(index, event.clientX, event.clientY);
  });
  plot.over.addEventListener("mouseleave", hideTip);
  const stopKeys = walkWithArrowKeys(host, plot, steps, tellAt);
  const resize = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height }));
  resize.observe(host);
  return () => {
    resize.disconnect();
    stopKeys();
    plot.destroy();
  };
}

/**
 * Points are marked where they stand apart, and where there is but one.
 * @param {Series} values
 * @param {boolean} apart
 */
function isMarked(values, apart) {
  const count = values.filter((value) => value !== null).length;
  return count === 1 || (apart && count <= 100);
}

/**
 * @param {HTMLElement} host
 * @param {import("uplot")} plot
 * @param {number[]} steps
 * @param {(index: number, x: number, y: number) => void} tellAt
 */
function walkWithArrowKeys(host, plot, steps, tellAt) {
  let at = -1;
  const stop = new AbortController();
  host.addEventListener(
    "keydown",
    (event) => {
      const move = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (move === 0 || event.target !== host) return;
      event.preventDefault();
      const stride = event.shiftKey ? Math.ceil(steps.length / 20) : 1;
      at = Math.min(steps.length - 1, Math.max(0, at + move * stride));
      const left = plot.valToPos(steps[at] ?? 0, "x");
      plot.setCursor({ left, top: 10 });
      const box = plot.over.getBoundingClientRect();
      tellAt(at, box.left + left, box.top + 10);
    },
    { signal: stop.signal },
  );
  host.addEventListener("blur", hideTip, { signal: stop.signal });
  return () => stop.abort();
}

/**
 * A button a line that switches it off and on; a ramp where lines are many.
 * @param {Line[]} lines
 * @param {import("uplot")} plot
 */
function drawChips(lines, plot) {
  if (lines.length > MAX_NAMED_LINES) {
    const colors = lines.map((line) => line.color);
    return drawRamp(lines[0]?.name ?? "", lines.at(-1)?.name ?? "", colors);
  }
  const chips = document.createElement("div");
  chips.className = "chips";
  lines.forEach((line, i) => {
    const chip = document.createElement("button");
    const mark = document.createElement("i");
    mark.style.background = line.color;
    chip.append(mark, line.name);
    chip.setAttribute("aria-pressed", "true");
    chip.addEventListener("click", () => {
      const show = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", String(show));
      plot.setSeries(i + 1, { show });
    });
    chips.append(chip);
  });
  return chips;
}

/** @param {string} from @param {string} to @param {string[]} colors */
function drawRamp(from, to, colors) {
  const ramp = document.createElement("div");
  ramp.className = "ramp";
  const bar = document.createElement("i");
  bar.style.background = `linear-gradient(90deg, ${colors.join(", ")})`;
  ramp.append(from, bar, to);
  return ramp;
}
