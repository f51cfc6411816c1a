// The schedule: a row of blocks for each pipeline rank with its memory under it.

/** @typedef {{ rank: number, blocks: Block[], memory: [atUs: number, bytes: number][] }} Rank */
/** @typedef {[kind: number, chunk: number, microBatch: number, start: number, end: number, recompute: number]} Block */
/** @typedef {{ spanUs: number, limitBytes: number, ranks: Rank[] }} Schedule */

const KIND_NAMES = ["forward", "backward", "weight gradient", "optimizer"];
const KIND_COLORS = ["--blue", "--orange", "--green", "--soft"];
const BLOCK_HEIGHT = 24;
const MEMORY_HEIGHT = 30;
const ROW_HEIGHT = BLOCK_HEIGHT + MEMORY_HEIGHT + 16;
const AXIS_HEIGHT = 22;
const LABEL_WIDTH = 66;
/** Blocks narrower than this carry no number. */
const LEAST_NUMBERED = 15;

const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("schedule-canvas"));
const schedule = /** @type {Schedule} */ (
  JSON.parse(document.getElementById("moestro-schedule")?.textContent ?? "null")
);
const peakBytes = Math.max(schedule.limitBytes, ...schedule.ranks.map(peakOf));

/** The part of the step in view, in microseconds. */
const view = { from: 0, to: schedule.spanUs };

/** Width of the area of time, in CSS pixels. */
function plotWidth() {
  return Math.max(1, canvas.clientWidth - LABEL_WIDTH);
}

/** @param {number} us */
function toX(us) {
  return LABEL_WIDTH + ((us - view.from) / (view.to - view.from)) * plotWidth();
}

/** @param {number} x */
function toUs(x) {
  return view.from + ((x - LABEL_WIDTH) / plotWidth()) * (view.to - view.from);
}

function drawSchedule() {
  const height = AXIS_HEIGHT + schedule.ranks.length * ROW_HEIGHT;
  canvas.style.height = `${height}px`;
  // Browsers give no canvas beyond some 32,000 pixels.
  const scale = Math.min(devicePixelRatio || 1, 30_000 / height);
  canvas.width = Math.round(canvas.clientWidth * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(scale, scale);
  context.textBaseline = "middle";
  drawAxis(context, height);
  schedule.ranks.forEach((rank, i) => {
    const top = AXIS_HEIGHT + i * ROW_HEIGHT;
    drawBlocks(context, rank, top);
    drawMemory(context, rank, top + BLOCK_HEIGHT + 3);
    context.font = "13px system-ui, sans-serif";
    context.textAlign = "left";
    context.fillStyle = cssColor("--ink");
    context.fillText(`rank ${rank.rank}`, 0, top + BLOCK_HEIGHT / 2 + 1);
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = cssColor("--soft");
    context.fillText(gibibytes(peakOf(rank)), 0, top + BLOCK_HEIGHT + MEMORY_HEIGHT - 6);
  });
}

/** @param {CanvasRenderingContext2D} context @param {number} height */
function drawAxis(context, height) {
  const rough = (view.to - view.from) / Math.max(2, plotWidth() / 95);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "left";
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = Math.round(toX(at)) + 0.5;
    context.fillStyle = cssColor("--line");
    context.fillRect(x - 0.5, 0, 1, height);
    const text = timeText(at, step);
    if (x + 4 + context.measureText(text).width > canvas.clientWidth) continue;
    context.fillStyle = cssColor("--soft");
    context.fillText(text, x + 4, AXIS_HEIGHT / 2 - 2);
  }
}

/** A time with as many digits as steps of this size need. @param {number} us @param {number} step */
function timeText(us, step) {
  const seconds = step >= 500_000;
  const unit = seconds ? 1e6 : 1e3;
  const digits = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return `${(us / unit).toFixed(Math.min(3, digits))} ${seconds ? "s" : "ms"}`;
}

/** The first block that ends after a time. @param {Block[]} blocks @param {number} us */
function firstAfter(blocks, us) {
  let low = 0;
  let high = blocks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const block = blocks[middle];
    if (block !== undefined && block[4] <= us) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {CanvasRenderingContext2D} context @param {Rank} rank @param {number} top */
function drawBlocks(context, { blocks }, top) {
  context.fillStyle = cssColor("--even");
  context.fillRect(LABEL_WIDTH, top, plotWidth(), BLOCK_HEIGHT);
  const colors = KIND_COLORS.map(cssColor);
  const recomputeColor = cssColor("--recompute");
  const numberColor = cssColor("--on-color");
  context.save();
  context.beginPath();
  context.rect(LABEL_WIDTH, 0, plotWidth(), top + BLOCK_HEIGHT);
  context.clip();
  context.textAlign = "center";
  context.font = "600 11px system-ui, sans-serif";
  for (let i = firstAfter(blocks, view.from); i < blocks.length; i++) {
    const block = blocks[i];
    if (block === undefined || block[3] >= view.to) break;
    const [kind, chunk, microBatch, start, end, recompute] = block;
    const [left, right] = [toX(start), toX(end)];
    const width = right - left;
    // A hair between neighbours, where there is room for one.
    const shown = width > 4 ? width - 1 : Math.max(width, 0.5);
    // Later chunks of a rank are paler.
    context.globalAlpha = chunk === 0 ? 1 : Math.max(0.45, 1 - 0.28 * chunk);
    context.fillStyle = colors[kind] ?? numberColor;
    context.fillRect(left, top, shown, BLOCK_HEIGHT);
    if (recompute > 0) {
      context.fillStyle = recomputeColor;
      context.fillRect(left, top, Math.min(shown, toX(start + recompute) - left), BLOCK_HEIGHT);
    }
    context.globalAlpha = 1;
    if (microBatch < 0 || width < LEAST_NUMBERED + 6 * (String(microBatch).length - 1)) continue;
    context.fillStyle = numberColor;
    context.fillText(String(microBatch), left + shown / 2, top + BLOCK_HEIGHT / 2 + 1);
  }
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {Rank} rank @param {number} top */
function drawMemory(context, { memory }, top) {
  const bottom = top + MEMORY_HEIGHT;
  /** @param {number} bytes */
  const toY = (bytes) => bottom - (bytes / peakBytes) * (MEMORY_HEIGHT - 1);
  context.save();
  context.beginPath();
  context.rect(LABEL_WIDTH, top - 1, plotWidth(), MEMORY_HEIGHT + 2);
  context.clip();
  context.beginPath();
  context.moveTo(LABEL_WIDTH, bottom);
  let bytes = 0;
  for (const [at, next] of memory) {
    if (at > view.to) break;
    const x = Math.max(LABEL_WIDTH, toX(at));
    context.lineTo(x, toY(bytes));
    context.lineTo(x, toY(next));
    bytes = next;
  }
  const end = Math.min(canvas.clientWidth, toX(schedule.spanUs));
  context.lineTo(end, toY(bytes));
  context.lineTo(end, bottom);
  context.closePath();
  context.fillStyle = cssColor("--memory");
  context.fill();
  context.strokeStyle = cssColor("--soft");
  context.setLineDash([5, 4]);
  context.beginPath();
  context.moveTo(LABEL_WIDTH, toY(schedule.limitBytes) + 0.5);
  context.lineTo(canvas.clientWidth, toY(schedule.limitBytes) + 0.5);
  context.stroke();
  context.restore();
}

/**
 * What lies at a point of the canvas, in words.
 * @param {number} x @param {number} y
 */
function describe(x, y) {
  const index = Math.floor((y - AXIS_HEIGHT) / ROW_HEIGHT);
  const rank = schedule.ranks[index];
  if (rank === undefined || x < LABEL_WIDTH) return undefined;
  const us = toUs(x);
  const inside = y - AXIS_HEIGHT - index * ROW_HEIGHT;
  const memory = memoryAt(rank, us);
  const at = `rank ${rank.rank}, at ${(us / 1000).toFixed(2)} ms`;
  const held = `memory: ${gibibytes(memory)} of ${gibibytes(schedule.limitBytes)}`;
  if (inside > BLOCK_HEIGHT) return `${at}\n${held}`;
  const block = rank.blocks[firstAfter(rank.blocks, us)];
  if (block === undefined || block[3] > us) return `${at}: idle\n${held}`;
  const [kind, chunk, microBatch, start, end, recompute] = block;
  const chunks = rank.blocks.some((other) => other[1] > 0);
  const of = microBatch < 0 ? "" : ` of micro-batch ${microBatch}`;
  const lines = [
    `rank ${rank.rank}: ${KIND_NAMES[kind]}${of}${chunks && microBatch >= 0 ? `, chunk ${chunk}` : ""}`,
    `${(start / 1000).toFixed(2)} to ${(end / 1000).toFixed(2)} ms (${((end - start) / 1000).toFixed(2)} ms)`,
    ...(recompute > 0 ? [`of which recompute ${(recompute / 1000).toFixed(2)} ms`] : []),
    held,
  ];
  return lines.join("\n");
}

/** @param {Rank} rank @param {number} us */
function memoryAt({ memory }, us) {
  let low = 0;
  let high = memory.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((memory[middle]?.[0] ?? 0) <= us) low = middle + 1;
    else high = middle;
  }
  return memory[low - 1]?.[1] ?? 0;
}

/** @param {Rank} rank */
function peakOf({ memory }) {
  return memory.reduce((most, [, bytes]) => Math.max(most, bytes), 0);
}

/** @param {number} bytes */
function gibibytes(bytes) {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
