import type { Screen } from "./text.ts";

export type ViewMode = "live" | "plain" | "json";

/** The part of `process.env` that says what a terminal can show. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What `--json` and the stream ask for. */
export function chooseMode(json: boolean, stream: NodeJS.WriteStream, env: Environment): ViewMode {
  if (json) return "json";
  return stream.isTTY && env.TERM !== "dumb" ? "live" : "plain";
}

/** Whether the locale's encoding is UTF-8, by POSIX's order of variables. */
export function hasUnicode(env: Environment): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  return /utf-?8/i.test(locale);
}

/** The terminal's size and abilities now; 80 × 24 where it does not say. */
export function describeScreen(stream: NodeJS.WriteStream, env: Environment): Screen {
  return {
    columns: stream.columns || 80,
    rows: stream.rows || 24,
    // https://no-color.org: any value but the empty one.
    color: stream.isTTY === true && !env.NO_COLOR,
    unicode: hasUnicode(env),
  };
}
