import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";
import type { EventRecord } from "../records.ts";
import { card, nothing } from "./card.ts";

/** What happened, in order, and what of the folder could not be read. */
export function events({ events: list, eventsLeftOut, notes }: RunFiles): Html {
  const left = eventsLeftOut > 0 ? `The first ${eventsLeftOut} events are left out.` : undefined;
  const body =
    list.length === 0
      ? nothing("The run wrote no events.")
      : html`<div class="scroll tall" tabindex="0" role="group" aria-label="Events"><table class="events">
<thead><tr><th>Time (UTC)</th><th>Event</th><th>What happened</th></tr></thead>
<tbody>${list.map(row)}</tbody></table></div>`;
  const damage =
    notes.length === 0
      ? undefined
      : html`<h3>What this report lacks</h3><ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>`;
  return card({
    id: "events",
    title: "Events",
    wide: true,
    ...(left === undefined ? {} : { lead: left }),
    body: html`${body}${damage}`,
  });
}

function row({ time, event, message }: EventRecord): Html {
  const at = new Date(time);
  const clock = Number.isNaN(at.getTime()) ? time : at.toISOString().slice(11, 23);
  return html`<tr><td class="time" title="${time}">${clock}</td><td><code><bdi>${event}</bdi></code></td><td><bdi>${message}</bdi></td></tr>
`;
}
