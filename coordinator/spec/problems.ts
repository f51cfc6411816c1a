import { type ErrorCode, MoestroError } from "../errors.ts";

/** Keys and list indices from the job's root to a value. */
export type JobPath = readonly (string | number)[];

/** One thing wrong with a job: where, and what, rule and remedy in one line. */
export interface Problem {
  path: JobPath;
  message: string;
  /** Point at the key instead of its value. */
  at?: "key";
}

/** One-based. */
export interface Position {
  line: number;
  column: number;
}

/** The text a job was read from; finds where a value is written. */
export interface JobSource {
  /** The file as the user typed it. */
  readonly name: string;
  /** Where `path` is written, or its nearest existing parent. */
  locate(path: JobPath, at?: "key"): Position;
}

/** `["layout", "stages", 1]` as a person reads it: `layout.stages[1]`. */
export function formatPath(path: JobPath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** All problems as one error, in the order they stand in the file. */
export function problemsToError(
  problems: readonly Problem[],
  source?: JobSource,
  code: ErrorCode = "invalid_input",
): MoestroError {
  const located = problems.map((problem) => {
    const name = formatPath(problem.path);
    const text = name === "" ? problem.message : `${name}: ${problem.message}`;
    if (source === undefined) return { line: 0, column: 0, text };
    const { line, column } = source.locate(problem.path, problem.at);
    return { line, column, text: `${source.name}:${line}:${column}: ${text}` };
  });
  located.sort((a, b) => a.line - b.line || a.column - b.column);
  return new MoestroError(
    code,
    located.map((entry) => entry.text),
  );
}

/** `1, 2, 4 or 8`. */
export function joinAlternatives(values: readonly (string | number)[]): string {
  if (values.length < 2) return values.join("");
  return `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}
