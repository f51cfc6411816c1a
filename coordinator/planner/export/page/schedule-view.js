// Moving and zooming in the schedule, and its hover box.

/** Nothing is seen of a schedule under a thousandth of it. */
const LEAST_VIEW = Math.max(1, schedule.spanUs / 1000);

/** @param {number} from @param {number} length */
function showFrom(from, length) {
  const span = Math.min(schedule.spanUs, Math.max(LEAST_VIEW, length));
  view.from = Math.min(Math.max(0, from), schedule.spanUs - span);
  view.to = view.from + span;
  requestDrawing();
}

/** @param {number} factor over 1 shows less @param {number} around a time that stays in place */
function zoom(factor, around) {
  const length = view.to - view.from;
  const share = (around - view.from) / length;
  const next = Math.min(schedule.spanUs, Math.max(LEAST_VIEW, length / factor));
  showFrom(around - share * next, next);
}

let drawing = 0;
function requestDrawing() {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(drawSchedule);
}

/** @param {PointerEvent | WheelEvent} event */
function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/** @type {{ x: number, from: number } | undefined} */
let held;

canvas.addEventListener("pointerdown", (event) => {
  held = { x: event.clientX, from: view.from };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointerup", () => {
  held = undefined;
});
canvas.addEventListener("pointercancel", () => {
  held = undefined;
});
canvas.addEventListener("pointermove", (event) => {
  const length = view.to - view.from;
  if (held !== undefined && length < schedule.spanUs) {
    showFrom(held.from - ((event.clientX - held.x) / plotWidth()) * length, length);
  }
  const { x, y } = placeOf(event);
  const text = describe(x, y);
  if (text === undefined) hideTip();
  else showTip(text, event.clientX, event.clientY);
});
canvas.addEventListener("pointerleave", hideTip);

canvas.addEventListener(
  "wheel",
  (event) => {
    // A plain turn of the wheel is left to the page.
    if (!event.ctrlKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    if (event.ctrlKey) zoom(Math.exp(-event.deltaY / 200), toUs(placeOf(event).x));
    else {
      const length = view.to - view.from;
      showFrom(view.from + (event.deltaX / plotWidth()) * length, length);
    }
  },
  { passive: false },
);

/** @type {Record<string, () => void>} */
const ACTIONS = {
  in: () => zoom(2, (view.from + view.to) / 2),
  out: () => zoom(0.5, (view.from + view.to) / 2),
  all: () => showFrom(0, schedule.spanUs),
  left: () => showFrom(view.from - (view.to - view.from) / 5, view.to - view.from),
  right: () => showFrom(view.from + (view.to - view.from) / 5, view.to - view.from),
};

/** @type {Record<string, string>} */
const KEYS = { "+": "in", "=": "in", "-": "out", 0: "all", ArrowLeft: "left", ArrowRight: "right" };

canvas.addEventListener("keydown", (event) => {
  const action = ACTIONS[KEYS[event.key] ?? ""];
  if (action === undefined || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  action();
});
for (const button of document.querySelectorAll("[data-zoom]")) {
  const action = button instanceof HTMLElement ? ACTIONS[button.dataset.zoom ?? ""] : undefined;
  if (action !== undefined) button.addEventListener("click", action);
}

followTippedElements();
drawSchedule();
addEventListener("resize", requestDrawing);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", requestDrawing);
