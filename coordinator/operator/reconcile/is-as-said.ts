import { isMapping } from "../../spec/mapping.ts";

/** Whether all that was said is there, whatever others have added beside it. */
export function isAsSaid(said: unknown, found: unknown): boolean {
  if (Array.isArray(said)) {
    if (!Array.isArray(found) || found.length !== said.length) return false;
    return said.every((entry, index) => isAsSaid(entry, found[index]));
  }
  if (!isMapping(said)) return said === found;
  return (
    isMapping(found) && Object.entries(said).every(([key, value]) => isAsSaid(value, found[key]))
  );
}
