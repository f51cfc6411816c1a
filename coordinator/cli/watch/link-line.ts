import { formatDuration } from "../../report/format.ts";
import { type Line, span, spread } from "../view/line.ts";
import { type Screen, sanitize } from "../view/text.ts";
import type { WatchState } from "./watch-state.ts";

/** The top line: what this is, and whether anybody answers. */
export function linkLine({ link, nowMs }: WatchState, screen: Screen): Line {
  const title = [span("moestro watch", "bold")];
  switch (link.phase) {
    case "connecting":
      return spread(title, [span("looking for a coordinator", "dim")], screen);
    case "connected":
      return spread(title, [span(link.address, "dim")], screen);
    case "away": {
      const since = formatDuration(Math.floor((nowMs - link.sinceMs) / 1000) * 1000);
      const text = `no coordinator for ${since}, trying again: ${sanitize(link.why)}`;
      return [...title, span(`  ${text}`, "yellow")];
    }
  }
}
