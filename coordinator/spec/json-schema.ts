import { z } from "zod";
import { jobDocumentSchema } from "./schema.ts";

/** The part of JSON Schema (draft 2020-12) that the job's schema uses. */
export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  [keyword: string]: unknown;
}

/** JSON Schema of the job file, for editors, the CLI's help and the CRD. */
export function jobJsonSchema(): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(jobDocumentSchema, {
    io: "input",
    target: "draft-2020-12",
  });
  return {
    $schema,
    $id: "urn:moestro:schema:job:v1",
    title: "moestro job",
    description: "A training job of moestro: model, data, training and the layout over ranks.",
    ...(rest as JsonSchema),
  };
}
