import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  type MessageInitShape,
  ScalarType,
} from "@bufbuild/protobuf";
import type { Random } from "../faults/random.ts";
import { randomBytes } from "./bytes.ts";

const MAX_DEPTH = 5;
const MAX_ENTRIES = 4;

const TEXTS = ["", "a", "../../etc", "one\ntwo", "\u0000", "é\u202e", "x".repeat(5000)];
const WHOLE = [0, 1, 2, 7, 100, 2 ** 31 - 1];
const SIGNED = [-1, -(2 ** 31), ...WHOLE];
const LONG = [0n, 1n, 2n, 5n, 1n << 40n, (1n << 63n) - 1n];
const SIGNED_LONG = [-1n, -(1n << 63n), ...LONG];
const REAL = [0, 1, -1, 0.5, 1e308, Number.NaN, Number.POSITIVE_INFINITY, 5e-324];

/**
 * A message that its schema allows, with values nobody would send. `known`: texts that
 * mean something to the receiver, such as a run's id.
 */
export function randomMessage(
  schema: DescMessage,
  random: Random,
  known: readonly string[],
): Message {
  return create(schema, fieldsOf(schema, random, known, 0));
}

function fieldsOf(
  schema: DescMessage,
  random: Random,
  known: readonly string[],
  depth: number,
): MessageInitShape<DescMessage> {
  const fields: [name: string, value: unknown][] = [];
  const value = (field: DescField) => anyValue(field, random, known, depth);
  for (const field of schema.fields) {
    if (!field.oneof && random.next() < 0.7) fields.push([field.localName, value(field)]);
  }
  for (const { localName, fields: cases } of schema.oneofs) {
    const chosen = random.pick(cases);
    fields.push([localName, { case: chosen.localName, value: value(chosen) }]);
  }
  return Object.fromEntries(fields.filter(([, given]) => given !== undefined)) as never;
}

function anyValue(
  field: DescField,
  random: Random,
  known: readonly string[],
  depth: number,
): unknown {
  const nested = (message: DescMessage) =>
    depth < MAX_DEPTH ? fieldsOf(message, random, known, depth + 1) : {};
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field.scalar, random, known);
    case "enum":
      return random.pick(WHOLE);
    case "message":
      return nested(field.message);
    case "list": {
      const one = () => {
        if (field.listKind === "scalar") return scalar(field.scalar, random, known);
        return field.listKind === "message" ? nested(field.message) : random.pick(WHOLE);
      };
      return Array.from({ length: random.whole(0, MAX_ENTRIES) }, one);
    }
    default:
      return undefined;
  }
}

function scalar(type: ScalarType, random: Random, known: readonly string[]): unknown {
  switch (type) {
    case ScalarType.STRING:
      return random.pick(random.next() < 0.5 && known.length > 0 ? known : TEXTS);
    case ScalarType.BYTES:
      return randomBytes(random, 64);
    case ScalarType.BOOL:
      return random.next() < 0.5;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return random.pick(REAL);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return random.pick(SIGNED_LONG);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return random.pick(LONG);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return random.pick(WHOLE);
    default:
      return random.pick(SIGNED);
  }
}
