import { type JsonSchema, jobJsonSchema } from "../../spec/json-schema.ts";

/**
 * Of the job file's cluster section: what `nodes` and `gpusPerNode` say here, and files of the
 * machine that plans.
 */
export const CLUSTER_KEYS_ELSEWHERE = ["ranks", "nodes", "gpusPerNode", "file", "profile"] as const;

type Sections = Readonly<Record<string, JsonSchema>>;

let known: Sections | undefined;

/**
 * The sections of the job file that a MoETrainingJob has, each as JSON Schema. Its name is
 * that of the object. Made once: it would be most of what judging a spec takes.
 */
export function jobSections(): Sections {
  known ??= makeSections();
  return known;
}

function makeSections(): Sections {
  const { name: _, ...sections } = jobJsonSchema().properties ?? {};
  const { cluster } = sections;
  const elsewhere: readonly string[] = CLUSTER_KEYS_ELSEWHERE;
  const kept = Object.entries(cluster?.properties ?? {}).filter(
    ([key]) => !elsewhere.includes(key),
  );
  return { ...sections, cluster: { ...cluster, properties: Object.fromEntries(kept) } };
}
