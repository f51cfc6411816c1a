import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";
import { card, nothing } from "./card.ts";

/** What the trained model writes. */
export function sample({ summary }: RunFiles): Html {
  const text = summary?.sample;
  return card({
    id: "sample",
    title: "Sampled text",
    wide: true,
    body:
      typeof text === "string" && text !== ""
        ? html`<pre class="sample" tabindex="0" aria-label="Text sampled from the trained model">${text}</pre>`
        : nothing("No text was sampled: that is done when training is complete, on data of bytes."),
  });
}
