import { isMapping } from "../../spec/mapping.ts";
import { type Fields, innerOf, isEntry, ownSets } from "./field-sets.ts";
import type { ObservedObject } from "./observation.ts";

interface OwnSpec {
  spec?: Record<string, unknown>;
}

/** The object's content that the operator applied and that is still its own. */
export function ownFields(object: ObservedObject): Partial<ObservedObject> & OwnSpec {
  const [fields] = ownSets(object, ["Apply"]);
  return fields === undefined ? {} : (within(object, fields) as typeof object);
}

/** What a set of fields selects of a value. */
function within(value: unknown, fields: Fields): unknown {
  const inner = innerOf(fields);
  if (inner.length === 0) return Object.hasOwn(fields, ".") ? emptyLike(value) : value;
  if (Array.isArray(value)) {
    return value.flatMap((entry, index) => {
      const found = inner.find(([path]) => isEntry(path, entry, index));
      return found === undefined ? [] : [within(entry, found[1])];
    });
  }
  if (!isMapping(value)) return value;
  return Object.fromEntries(
    inner.flatMap(([path, below]) => {
      const key = path.slice("f:".length);
      if (!Object.hasOwn(value, key)) return [];
      return [[key, within(value[key], below)]];
    }),
  );
}

/** Only the place itself is owned, not what others keep there. */
function emptyLike(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  return isMapping(value) ? {} : value;
}
