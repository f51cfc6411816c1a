import {
  ApiException,
  type ConfigurationOptions,
  type ObservableMiddleware,
} from "@kubernetes/client-node";
import { MoestroError } from "../../errors.ts";
import { within } from "../within.ts";

/**
 * What the API server answers; undefined if there is no such object. Of what it says when it
 * refuses only the code is told, for it may repeat what it was asked about.
 *
 * @param what as in "cannot ..."
 * @throws MoestroError `environment`
 */
export async function askApi<Answer>(
  what: string,
  timeoutMs: number,
  call: (options: ConfigurationOptions<ObservableMiddleware>) => Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    return await call(within(timeoutMs));
  } catch (error) {
    if (error instanceof ApiException && error.code === 404) return undefined;
    throw new MoestroError("environment", `the coordinator cannot ${what}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ApiException) {
    return error.code === 403
      ? "its role does not allow it; apply the manifests of this version again"
      : `the API server answered with ${error.code}; look at its health`;
  }
  const { message, cause } = error as Error;
  const why = cause instanceof Error && cause.message !== "" ? cause.message : message;
  return `the API server is out of reach (${why}); look at its health and at network policies`;
}
