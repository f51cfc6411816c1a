// Expert load over steps: a canvas a layer, a row an expert.

/** Layers up to which all are shown side by side; more are chosen from a list. */
const MAX_SIDE_BY_SIDE = 12;

/** @param {PageData} data */
function drawLoad(data) {
  const host = document.querySelector("[data-load]");
  if (host === null) return;
  const controls = document.createElement("div");
  controls.className = "controls";
  controls.append(loadLegend());
  const maps = document.createElement("div");
  maps.className = "maps";
  host.replaceChildren(controls, maps);
  if (data.layers.length <= MAX_SIDE_BY_SIDE) {
    maps.append(...data.layers.map((_, i) => drawMap(data, i)));
    return;
  }
  maps.classList.add("single");
  const choice = document.createElement("select");
  choice.append(...data.layers.map((layer, i) => new Option(`layer ${layer}`, String(i))));
  const show = () => maps.replaceChildren(drawMap(data, Number(choice.value)));
  choice.addEventListener("change", show);
  const label = document.createElement("label");
  label.append("Layer", choice);
  controls.append(label);
  show();
}

function loadLegend() {
  const colors = Array.from(
    { length: 9 },
    (_, i) => `rgb(${loadColor(2 ** (i / 2 - 2)).join(" ")})`,
  );
  return drawRamp("¼ of an even share", "4 times", colors);
}

/** @param {PageData} data @param {number} index place in data.layers */
function drawMap(data, index) {
  const { numExperts, columnSteps } = data.load;
  const values = data.load.layers[index] ?? [];
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const name = document.createElement("b");
  name.textContent = `Layer ${data.layers[index]}`;
  caption.append(name, `steps ${data.steps[0]}–${data.steps.at(-1)}`);
  const canvas = document.createElement("canvas");
  canvas.dataset.ownTip = "";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", describeMap(data, index));
  // A pixel a cell; the browser enlarges them without smoothing.
  canvas.width = columnSteps.length;
  canvas.height = numExperts;
  canvas.style.height = `${Math.min(420, Math.max(96, numExperts * 14))}px`;
  canvas.style.imageRendering = "pixelated";
  paint(canvas, values);
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.min(
      canvas.width - 1,
      Math.floor(((event.clientX - box.left) / box.width) * canvas.width),
    );
    const expert = Math.min(
      numExperts - 1,
      Math.floor(((event.clientY - box.top) / box.height) * numExperts),
    );
    const percent = values[expert * canvas.width + column];
    const text =
      typeof percent === "number" ? `${(percent / 100).toFixed(2)} of an even share` : "no figure";
    showTip(
      `layer ${data.layers[index]}, expert ${expert}\nstep ${columnSteps[column]}: ${text}`,
      event.clientX,
      event.clientY,
    );
  });
  canvas.addEventListener("pointerleave", hideTip);
  figure.append(caption, canvas);
  return figure;
}

/** @param {HTMLCanvasElement} canvas @param {Series} values */
function paint(canvas, values) {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const image = context.createImageData(canvas.width, canvas.height);
  values.forEach((percent, cell) => {
    if (percent === null) return;
    const [red, green, blue] = loadColor(percent / 100);
    image.data.set([red, green, blue, 255], cell * 4);
  });
  context.putImageData(image, 0, 0);
}

/** @param {PageData} data @param {number} index */
function describeMap(data, index) {
  const columns = data.load.columnSteps.length;
  const last = (data.load.layers[index] ?? [])
    .filter((_, cell) => cell % columns === columns - 1)
    .map((percent) => (percent ?? 0) / 100);
  return `Load of the experts of layer ${data.layers[index]} over steps; at the end between ${Math.min(...last)} and ${Math.max(...last)} of an even share.`;
}
