import { z } from "zod";

/** Largest value of an int32 field of the protos. */
const INT32_MAX = 2_147_483_647;

/** A whole number from `min` to `max`, both included. */
export function whole(min: number, max: number = INT32_MAX) {
  return z.int().min(min).max(max);
}

/** A finite number of at least `min`. */
export function atLeast(min: number) {
  return z.number().min(min);
}

/** A finite number above zero. */
export function positive() {
  return z.number().gt(0);
}

/** A number from 0 to 1; `below` excludes 1 itself. */
export function share(limit: "below one" | "up to one" = "up to one") {
  return limit === "below one" ? z.number().min(0).lt(1) : z.number().min(0).max(1);
}
