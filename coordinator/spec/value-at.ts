import type { JobPath } from "./problems.ts";

/** What a document holds at a path; undefined when there is nothing. */
export function valueAt(document: unknown, path: JobPath): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key]
        : undefined,
    document,
  );
}
