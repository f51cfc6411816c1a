import { sanitize } from "../cli/view/text.ts";

/** Makes short lines for a person of pino's lines of JSON, on the way to a stream. */
export function prettyLines(output: { write(text: string): unknown }) {
  return { write: (line: string): void => void output.write(prettyLine(line)) };
}

/** `05:30:00 warn  Agent b is silent. run=r generation=2`; a stack follows on its own lines. */
export function prettyLine(line: string): string {
  const { time, level, message, error, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const about = Object.entries(fields).map(([name, value]) => `${name}=${text(value)}`);
  const parts = [text(time).slice(11, 19), text(level).padEnd(5), text(message), ...about];
  const stack = (error as { stack?: string } | undefined)?.stack ?? "";
  const below = stack.split("\n").filter((frame) => frame !== "");
  return [parts.join(" "), ...below.map((frame) => `  ${sanitize(frame)}`), ""].join("\n");
}

function text(value: unknown): string {
  return sanitize(typeof value === "string" ? value : JSON.stringify(value));
}
