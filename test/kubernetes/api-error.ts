import type { Json, JsonObject } from "./json.ts";

/** One thing that is wrong with a field. */
export type Cause = { reason: string; message: string; field: string };

/** A refusal as the API server words it: it is sent as a `Status`. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: JsonObject;

  constructor(code: number, reason: string, message: string, details: JsonObject = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  get body(): JsonObject {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      details: this.details,
      code: this.code,
    };
  }
}

/** What a refusal is about: `jobs.batch "x"`. */
export type Subject = { group: string; plural: string; kind: string; name: string };

function qualified(word: string, group: string): string {
  return group === "" ? word : `${word}.${group}`;
}

function detailsOf({ group, plural, name }: Subject): JsonObject {
  return { name, kind: plural, ...(group === "" ? {} : { group }) };
}

export function notFound(subject: Subject): ApiError {
  const message = `${qualified(subject.plural, subject.group)} "${subject.name}" not found`;
  return new ApiError(404, "NotFound", message, detailsOf(subject));
}

export function noSuchPath(): ApiError {
  return new ApiError(404, "NotFound", "the server could not find the requested resource");
}

export function alreadyExists(subject: Subject): ApiError {
  const message = `${qualified(subject.plural, subject.group)} "${subject.name}" already exists`;
  return new ApiError(409, "AlreadyExists", message, detailsOf(subject));
}

export function conflict(subject: Subject, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(subject.plural, subject.group)} "${subject.name}": ${why}`;
  return new ApiError(409, "Conflict", message, detailsOf(subject));
}

export const MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";

export function invalid(subject: Subject, causes: readonly Cause[]): ApiError {
  const texts = causes.map(({ field, message }) => `${field}: ${message}`);
  const listed = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  const message = `${qualified(subject.kind, subject.group)} "${subject.name}" is invalid: ${listed}`;
  const details: JsonObject = {
    ...detailsOf(subject),
    kind: subject.kind,
    causes: causes.map((cause): Json => ({ ...cause })),
  };
  return new ApiError(422, "Invalid", message, details);
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, "BadRequest", message);
}

export function forbidden(subject: Subject, why: string): ApiError {
  const named = subject.name === "" ? "" : ` "${subject.name}"`;
  const message = `${qualified(subject.plural, subject.group)}${named} is forbidden: ${why}`;
  return new ApiError(403, "Forbidden", message, detailsOf(subject));
}

export function expired(message: string): ApiError {
  return new ApiError(410, "Expired", message);
}
