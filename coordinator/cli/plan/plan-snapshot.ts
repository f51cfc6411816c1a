import { toJson } from "@bufbuild/protobuf";
import { PlanSchema } from "../../../proto/gen/moestro/v1/plan_pb.js";
import type { PlanDocument } from "../../planner/plan-document.ts";
import { planJob } from "../../planner/plan-job.ts";
import type { JobFile } from "../../spec/load-job.ts";
import { isLocal } from "../../spec/planning-defaults.ts";
import { planFile } from "./plan-file.ts";

/**
 * What moestro plan chooses, and why, as JSON for people: for the GPUs that are named, else for
 * the ranks alone.
 *
 * @throws MoestroError `no_plan`, `invalid_input`
 */
export async function planSnapshot(file: JobFile): Promise<string> {
  const { job, source } = file;
  const plan = isLocal(job.cluster)
    ? toJson(PlanSchema, planJob(job, { source }))
    : chosenOf(await planFile(file, "moestro"));
  return `${JSON.stringify(plan, null, 2)}\n`;
}

/** Without the other choices, which would be most of it, and without how long it took. */
function chosenOf(document: PlanDocument): Partial<PlanDocument> {
  const { job, model, cluster, batch, fixed, best, reasons } = document;
  return { job, model, cluster, batch, fixed, best, reasons };
}
