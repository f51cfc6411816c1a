import type { DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";

/**
 * A message as programs read it in `--json`: every field under the contract's name,
 * numbers as numbers, enumerated values as lower-case words, null for what is not set.
 */
export function plainMessage<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): Record<string, unknown> {
  const values: Record<string, unknown> = { ...message };
  return Object.fromEntries(
    schema.fields.map((field) => [field.localName, plain(field, values[field.localName])]),
  );
}

function plain(field: DescField, value: unknown): unknown {
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.map((one) => plain(field, one));
  if (typeof value === "bigint") return Number(value);
  if (field.message) return plainMessage(field.message, value as MessageShape<DescMessage>);
  if (field.enum) return field.enum.value[value as number]?.localName.toLowerCase() ?? "unknown";
  return value;
}
