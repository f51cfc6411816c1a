// Colours for canvases. All ramps rise or fall evenly in lightness, so that
// they can be told apart without seeing hues.

/** @typedef {[number, number, number]} Rgb */

/** Viridis. @type {Rgb[]} */
const DEPTH = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];

function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * A custom property of the page's style sheet.
 * @param {string} name
 */
function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * @param {Rgb[]} stops
 * @param {number} at 0..1
 * @returns {Rgb}
 */
function mix(stops, at) {
  const place = Math.min(1, Math.max(0, at)) * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(place));
  const from = stops[index] ?? [0, 0, 0];
  const to = stops[index + 1] ?? from;
  const share = place - index;
  /** @param {0 | 1 | 2} i */
  const channel = (i) => Math.round(from[i] + (to[i] - from[i]) * share);
  return [channel(0), channel(1), channel(2)];
}

/**
 * The colour of one of several layers, shallow to deep. The end of the ramp
 * that would not stand out from the page is left off.
 * @param {number} index
 * @param {number} count
 */
function layerColor(index, count) {
  const [from, to] = isDark() ? [0.3, 1] : [0, 0.8];
  const at = count < 2 ? from : from + ((to - from) * index) / (count - 1);
  return `rgb(${mix(DEPTH, at).join(" ")})`;
}

/**
 * From a quarter of the fair share (blue) over even (the page's grey) to four
 * times (orange), on a scale of doublings.
 * @param {number} ratio load over the fair share
 * @returns {Rgb}
 */
function loadColor(ratio) {
  const at = (Math.log2(Math.max(ratio, 1 / 64)) + 2) / 4;
  return mix(isDark() ? LOAD_DARK : LOAD_LIGHT, at);
}

/** @type {Rgb[]} */
const LOAD_LIGHT = [
  [0, 58, 112],
  [67, 147, 195],
  [243, 244, 245],
  [232, 143, 60],
  [127, 50, 0],
];

/** @type {Rgb[]} */
const LOAD_DARK = [
  [140, 205, 255],
  [45, 120, 175],
  [36, 42, 51],
  [185, 100, 10],
  [255, 205, 120],
];
