import { MoestroError } from "../errors.ts";

/**
 * What the first coordinator that is there answers. One that cannot be reached is passed
 * over; any other failure is the answer. Throws all reasons, a line each, if none is there.
 */
export async function firstOf<Answer>(
  addresses: readonly string[],
  ask: (address: string) => Promise<Answer>,
): Promise<Answer> {
  const reasons: string[] = [];
  for (const address of addresses) {
    try {
      return await ask(address);
    } catch (error) {
      if (!(error instanceof MoestroError && error.code === "environment")) throw error;
      reasons.push(...error.lines);
    }
  }
  throw new MoestroError("environment", reasons);
}
