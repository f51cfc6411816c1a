import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { ApiError } from "../api-error.ts";
import type { Json, JsonObject } from "../json.ts";

/** How a field is read: a leaf, a list of them, a map of texts, or a message. */
type Field = "text" | "int" | "bool" | "texts" | "map" | "bytesMap" | { [number: number]: Named };
type Named = [name: string, field: Field];

const META: { [number: number]: Named } = {
  1: ["name", "text"],
  2: ["generateName", "text"],
  3: ["namespace", "text"],
  11: ["labels", "map"],
  12: ["annotations", "map"],
};
const metadata: Named = ["metadata", META];
const DELETE_OPTIONS: { [number: number]: Named } = {
  1: ["gracePeriodSeconds", "int"],
  2: ["preconditions", { 1: ["uid", "text"], 2: ["resourceVersion", "text"] }],
  4: ["propagationPolicy", "text"],
  5: ["dryRun", "texts"],
};
const BOUND: { [number: number]: Named } = {
  ...{ 1: ["kind", "text"], 2: ["apiVersion", "text"], 3: ["name", "text"], 4: ["uid", "text"] },
};
const ATTRIBUTES: { [number: number]: Named } = {
  ...{ 1: ["namespace", "text"], 2: ["verb", "text"], 3: ["group", "text"] },
  ...{ 4: ["version", "text"], 5: ["resource", "text"], 6: ["subresource", "text"] },
  7: ["name", "text"],
};
/** The kinds that kubectl sends as protobuf whatever it is told, by their numbers in Kubernetes' .proto files. */
const KINDS: { [kind: string]: { [number: number]: Named } } = {
  Namespace: { 1: metadata },
  ServiceAccount: { 1: metadata },
  ConfigMap: { 1: metadata, 2: ["data", "map"], 4: ["immutable", "bool"] },
  Secret: { 1: metadata, 2: ["data", "bytesMap"], 3: ["type", "text"], 4: ["stringData", "map"] },
  DeleteOptions: DELETE_OPTIONS,
  Eviction: { 1: metadata, 2: ["deleteOptions", DELETE_OPTIONS] },
  SelfSubjectAccessReview: { 1: metadata, 2: ["spec", { 1: ["resourceAttributes", ATTRIBUTES] }] },
  TokenRequest: {
    1: metadata,
    2: [
      "spec",
      { 1: ["audiences", "texts"], 3: ["boundObjectRef", BOUND], 4: ["expirationSeconds", "int"] },
    ],
  },
};
const MAGIC = Buffer.from("k8s\0");

/** Reads an object that came as protobuf. Throws a 415 for kinds that are not known here. */
export function readProtobuf(bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, 4).equals(MAGIC)) throw unsupported("the body");
  let kind: JsonObject = {};
  let raw: Uint8Array = new Uint8Array();
  const reader = new BinaryReader(bytes.subarray(4));
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === 1) {
      kind = readMessage(reader.bytes(), { 1: ["apiVersion", "text"], 2: ["kind", "text"] });
    } else if (number === 2) raw = reader.bytes();
    else reader.skip(type);
  }
  const fields = KINDS[String(kind.kind)];
  if (!fields) throw unsupported(`a ${String(kind.kind)}`);
  return { ...kind, ...readMessage(raw, fields) };
}

function unsupported(what: string): ApiError {
  const message = `${what} is taken as JSON or YAML only; use kubectl apply -f`;
  return new ApiError(415, "UnsupportedMediaType", message);
}

function readMessage(bytes: Uint8Array, fields: { [number: number]: Named }): JsonObject {
  const reader = new BinaryReader(bytes);
  const message: JsonObject = {};
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const named = fields[number];
    if (named === undefined) reader.skip(type);
    else message[named[0]] = readField(reader, type, named[1], message[named[0]]);
  }
  return message;
}

function readField(
  reader: BinaryReader,
  type: WireType,
  field: Field,
  known: Json | undefined,
): Json {
  if (field === "int") return Number(reader.int64());
  if (field === "bool") return reader.bool();
  if (type !== WireType.LengthDelimited) throw unsupported("a field of another type");
  if (field === "text") return reader.string();
  if (field === "texts") return [...(Array.isArray(known) ? known : []), reader.string()];
  if (typeof field === "object") return readMessage(reader.bytes(), field);
  const entry = new BinaryReader(reader.bytes());
  let key = "";
  let value = "";
  while (entry.pos < entry.len) {
    const [number] = entry.tag();
    const bytes = Buffer.from(entry.bytes());
    if (number === 1) key = bytes.toString();
    else value = bytes.toString(field === "bytesMap" ? "base64" : "utf8");
  }
  return { ...(known as JsonObject | undefined), [key]: value };
}
