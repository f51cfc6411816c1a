import { ApiError, badRequest } from "../api-error.ts";
import { copy, isObject, type Json, same } from "../json.ts";

type Operation = { op: string; path: string; from?: string; value?: Json };

/** RFC 6902. Throws a 422 where an operation does not fit, as the API server does. */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest("a JSON patch is a list of operations");
  let result = copy(target);
  for (const operation of patch) result = perform(result, operation as Operation);
  return result;
}

function perform(document: Json, { op, path, from, value }: Operation): Json {
  const steps = stepsOf(path);
  if (op === "add") return set(document, steps, value ?? null, true);
  if (op === "remove") return remove(document, steps);
  if (op === "replace") {
    read(document, steps);
    return steps.length === 0 ? (value ?? null) : set(document, steps, value ?? null, false);
  }
  if (op === "copy" || op === "move") {
    const source = stepsOf(from ?? "");
    const moved = copy(read(document, source));
    return set(op === "move" ? remove(document, source) : document, steps, moved, true);
  }
  if (op === "test") {
    if (same(read(document, steps), value)) return document;
    throw refused(`testing value ${path} failed`);
  }
  throw refused(`unknown operation ${op}`);
}

function stepsOf(path: string): string[] {
  if (path === "") return [];
  return path
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function read(document: Json, steps: readonly string[]): Json {
  return steps.reduce<Json>((part, step) => {
    const next = Array.isArray(part) ? part[Number(step)] : isObject(part) ? part[step] : undefined;
    if (next === undefined) throw refused(`path /${steps.join("/")} does not exist`);
    return next;
  }, document);
}

function set(document: Json, steps: readonly string[], value: Json, insert: boolean): Json {
  const last = steps.at(-1);
  if (last === undefined) return value;
  const parent = read(document, steps.slice(0, -1));
  if (Array.isArray(parent)) {
    const index = last === "-" ? parent.length : Number(last);
    if (!(index >= 0 && index <= parent.length)) throw refused(`index ${last} is out of bounds`);
    parent.splice(index, insert ? 0 : 1, value);
  } else if (isObject(parent)) parent[last] = value;
  else throw refused(`path /${steps.join("/")} does not exist`);
  return document;
}

function remove(document: Json, steps: readonly string[]): Json {
  read(document, steps);
  const parent = read(document, steps.slice(0, -1));
  const last = steps.at(-1) ?? "";
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (isObject(parent)) delete parent[last];
  return document;
}

function refused(why: string): ApiError {
  return new ApiError(422, "Invalid", `the server rejected our request due to an error: ${why}`);
}
