import type { Style } from "./line.ts";

/** What a run's state is drawn in, by its name. */
export const STATE_STYLES: Record<string, Style> = {
  running: "green",
  succeeded: "green",
  failed: "magenta",
  recovering: "magenta",
  starting: "cyan",
  stopping: "yellow",
  stopped: "yellow",
  suspending: "yellow",
  suspended: "yellow",
};
