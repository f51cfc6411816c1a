import { MoestroError } from "../../errors.ts";
import { formatPath, type JobPath } from "../../spec/problems.ts";
import { valueAt } from "../../spec/value-at.ts";
import type { PlanDocument } from "../plan-document.ts";
import { explainIssue, kindOf } from "./explain-issue.ts";
import { planDocumentSchema } from "./plan-document-schema.ts";

const REMEDY = "give a job file (.yaml) or what `moestro plan --json` wrote";

/**
 * A plan from the text of a file that `moestro plan --json` wrote. Throws
 * `invalid_input` with one line that names the field at fault.
 */
export function readPlanDocument(text: string, path: string): PlanDocument {
  const fail = (what: string) => new MoestroError("invalid_input", `${path}: ${what}; ${REMEDY}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail("is not JSON");
  }
  const kind = kindOf(value);
  if (kind !== "a mapping") throw fail(`Invalid input: a plan is a mapping, not ${kind}`);
  const [issue] = planDocumentSchema.safeParse(value).error?.issues ?? [];
  if (issue !== undefined) {
    const field = issue.path as JobPath;
    throw fail(`${formatPath(field)}: ${explainIssue(issue, valueAt(value, field))}`);
  }
  // Only what an export reads is checked; the rest goes through as it is.
  return value as PlanDocument;
}
