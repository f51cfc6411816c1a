import { ApiException } from "@kubernetes/client-node";

/** What went wrong with a request, in one line: the API server's own sentence where it said one. */
export function whyOf(error: unknown): string {
  if (error instanceof ApiException) return messageOf(error);
  if (!(error instanceof Error)) return String(error);
  const [line = ""] = error.message.split("\n");
  return error.cause instanceof Error ? `${line}: ${error.cause.message}` : line;
}

/** What a Status that the API server answered with says. */
export function messageOf({ body, code }: ApiException<unknown>): string {
  const otherwise = `the API server answered ${code}`;
  try {
    const status = (typeof body === "string" ? JSON.parse(body) : body) as { message?: unknown };
    return typeof status?.message === "string" ? status.message : otherwise;
  } catch {
    return otherwise;
  }
}
