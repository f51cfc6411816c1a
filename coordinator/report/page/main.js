// Draws the page, and draws it again when the person's colours change.

const source = document.getElementById("moestro-data");
const data = /** @type {PageData} */ (JSON.parse(source?.textContent ?? "null"));

/** @type {(() => void)[]} */
let takeAway = [];

function drawPage() {
  for (const remove of takeAway) remove();
  takeAway = [];
  if (data.steps.length === 0) return;
  takeAway = drawCharts(data);
  drawLoad(data);
}

followTippedElements();
drawPage();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPage);
