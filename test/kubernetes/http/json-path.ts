import { isObject, type Json } from "../json.ts";

const STEP =
  /\.((?:\\.|[^.[\]\\])+)|\[(\d+|\*)\]|\[['"]([^'"]+)['"]\]|\[\?\(@\.([\w.-]+)\s*==\s*['"]([^'"]*)['"]\)\]/gy;

/** Values at a JSON path as printer columns and scale paths use them; none where it leads nowhere. */
export function jsonPath(value: Json | undefined, path: string): Json[] {
  let found = value === undefined ? [] : [value];
  for (const match of path.replace(/^\$/, "").matchAll(STEP)) {
    const [, field, index, quoted, filter, wanted] = match;
    const name = (field ?? quoted)?.replaceAll("\\", "");
    found = found.flatMap((part): Json[] => {
      if (name !== undefined) return isObject(part) ? defined(part[name]) : [];
      const items = Array.isArray(part) ? part : [];
      if (index === "*") return items;
      if (index !== undefined) return defined(items[Number(index)]);
      return items.filter(
        (item) => jsonPath(item, `.${filter}`).map(String).join() === String(wanted),
      );
    });
  }
  return found;
}

function defined(value: Json | undefined): Json[] {
  return value === undefined || value === null ? [] : [value];
}
