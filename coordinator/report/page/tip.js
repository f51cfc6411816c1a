// One hover box for everything on the page.

const tip = /** @type {HTMLElement} */ (document.getElementById("tip"));

/**
 * @param {string} text lines are kept
 * @param {number} x of the window
 * @param {number} y of the window
 */
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? x - width - 14 : x + 14;
  const top = y + 14 + height > innerHeight ? y - height - 14 : y + 14;
  tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}

function hideTip() {
  tip.hidden = true;
}

/** Blocks and bars bring their text along. */
function followTippedElements() {
  document.addEventListener("pointermove", (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    const text = target instanceof HTMLElement ? target.dataset.tip : undefined;
    if (text !== undefined) showTip(text, event.clientX, event.clientY);
    else if (event.target instanceof Element && !event.target.closest("[data-own-tip]")) hideTip();
  });
  document.addEventListener("scroll", hideTip, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
  });
}
