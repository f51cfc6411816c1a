import { MoestroError } from "../../errors.ts";
import { jobOfSpec } from "../../kubernetes/crd/job-of-spec.ts";
import { inSpecTerms } from "../../kubernetes/crd/spec-errors.ts";
import type { JobFile } from "../../spec/load-job.ts";
import type { ObservedJob, Verdict } from "../reconcile/observation.ts";

/**
 * What the coordinator makes of a job's spec; good for as long as its generation is the same.
 *
 * @param folder where the spec's relative paths begin, and what files it names must be below
 * @param planText plans a job, as `moestro k8s render` does, and returns the plan as JSON
 */
export async function judgeSpec(
  { metadata, spec }: Pick<ObservedJob, "metadata" | "spec">,
  folder: string,
  planText: (file: JobFile) => Promise<string>,
): Promise<Verdict> {
  try {
    const { section, file } = await jobOfSpec(spec, {
      ...{ name: metadata.name, folder, within: folder },
    });
    const plan = await inSpecTerms(undefined, () => planText(file));
    const jobJson = JSON.stringify(file.job);
    return { kind: "planned", spec: { ...spec, ...section }, plan, jobJson };
  } catch (error) {
    if (!(error instanceof MoestroError)) throw error;
    // The installation's trouble is no fault of the spec, and passes.
    if (error.code !== "invalid_input" && error.code !== "no_plan") throw error;
    return { kind: "refused", code: error.code, lines: error.lines };
  }
}
