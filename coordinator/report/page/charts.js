// Which lines stand in which chart of the page.

/** @typedef {import("../page-data.ts").PageData} PageData */

/** @param {number} value */
const formatShort = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (size >= 1e3) return `${Number((value / 1e3).toPrecision(3))} k`;
  return size < 1e-3
    ? Number(value.toPrecision(3)).toExponential()
    : String(Number(value.toPrecision(4)));
};

/** @param {number} value */
const formatShare = (value) => `${Number((value * 100).toPrecision(3))} %`;

/**
 * @param {PageData} data
 * @param {Series[]} perLayer
 * @param {boolean} [points]
 * @returns {Line[]}
 */
function layerLines(data, perLayer, points = false) {
  return perLayer.map((values, i) => ({
    name: `layer ${data.layers[i]}`,
    values,
    points,
    color: layerColor(i, perLayer.length),
  }));
}

/**
 * @param {PageData} data
 * @returns {Record<string, Pick<LineChart, "lines" | "format"> & Partial<LineChart>>}
 */
function chartsOf(data) {
  const blue = cssColor("--blue");
  const validation = {
    name: "validation",
    values: data.validationLoss,
    color: cssColor("--orange"),
  };
  return {
    loss: {
      height: 300,
      lines: [
        { name: "training", values: data.loss, color: blue, width: 1.25 },
        ...(data.validationLoss.some((value) => value !== null)
          ? [{ ...validation, width: 2, points: true }]
          : []),
      ],
      format: formatShort,
    },
    "drop-rate": { lines: layerLines(data, data.dropRate), format: formatShare, fromZero: true },
    "aux-coefficient": {
      lines: layerLines(data, data.auxCoeff),
      format: formatShort,
      fromZero: true,
    },
    "expert-similarity": {
      lines: layerLines(data, data.expertSimilarity, true),
      format: formatShort,
    },
    throughput: {
      lines: [{ name: "tokens/s", values: data.tokensPerSecond, color: blue }],
      format: formatShort,
      fromZero: true,
    },
    "gradient-norm": {
      lines: [{ name: "gradient norm", values: data.gradNorm, color: blue }],
      format: formatShort,
      fromZero: true,
    },
  };
}

/**
 * @param {PageData} data
 * @returns {(() => void)[]} one function a chart that takes it away again
 */
function drawCharts(data) {
  const charts = chartsOf(data);
  return [...document.querySelectorAll("[data-chart]")].flatMap((host) => {
    if (!(host instanceof HTMLElement)) return [];
    const chart = charts[host.dataset.chart ?? ""];
    return chart === undefined
      ? []
      : [drawLineChart({ host, height: 220, steps: data.steps, ...chart })];
  });
}
