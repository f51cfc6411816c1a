import { create, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { Message } from "@bufbuild/protobuf";
import type { Random } from "../faults/random.ts";
import { randomBytes } from "./bytes.ts";

/** Messages in messages, and entries of a list. */
const MAX_DEPTH = 5;
const MAX_ENTRIES = 4;

const TEXTS = ["", "a", "node-0", "../../etc", "one\ntwo", "\u0000", "é\u202e", "x".repeat(5000)];
const WHOLE = [0, 1, -1, 2, 7, 100, 2 ** 31 - 1, -(2 ** 31)];
const LONG = [0n, 1n, -1n, 5n, 1n << 40n, (1n << 63n) - 1n, -(1n << 63n)];
const REAL = [0, 1, -1, 0.5, 1e308, Number.NaN, Number.POSITIVE_INFINITY, 5e-324];

/**
 * A message that its schema allows, with values nobody would send. `known`: texts that
 * mean something to the receiver, such as a run's id.
 */
export function randomMessage(
  schema: DescMessage,
  random: Random,
  known: readonly string[],
  depth = 0,
): Message {
  const made = reflect(schema, create(schema));
  const chosen = new Set(
    schema.oneofs.flatMap(({ fields }) => (random.next() < 0.9 ? [random.pick(fields)] : [])),
  );
  for (const field of schema.fields) {
    if (field.oneof ? !chosen.has(field) : random.next() < 0.3) continue;
    const one = () => randomValue(field, random, known, depth);
    if (field.fieldKind === "list") {
      for (let left = random.whole(0, MAX_ENTRIES); left > 0; left -= 1) {
        const value = one();
        if (value !== undefined) made.addListItem?.(field, value);
      }
    }
  }
  return made.message;
}
