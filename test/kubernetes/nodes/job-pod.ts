import { copy, isObject, type JsonObject, type KubeObject, objectsAt } from "../json.ts";
import { INDEX } from "./job-ledger.ts";

/** The pod that a Job makes for an index, or for one more completion. */
export function podOf(job: KubeObject, index: number | undefined): KubeObject {
  const template = isObject(job.spec?.template) ? copy(job.spec.template) : {};
  const metadata: JsonObject = isObject(template.metadata) ? template.metadata : {};
  const labels = isObject(metadata.labels) ? metadata.labels : {};
  const annotations = isObject(metadata.annotations) ? metadata.annotations : {};
  const { name, namespace = "", uid = "" } = job.metadata;
  const spec = isObject(template.spec) ? template.spec : {};
  const own = index === undefined ? {} : { [INDEX]: String(index) };
  if (index !== undefined) {
    spec.hostname ??= `${name}-${index}`;
    for (const container of [
      ...objectsAt(spec, "containers"),
      ...objectsAt(spec, "initContainers"),
    ]) {
      const fieldRef = { fieldPath: `metadata.annotations['${INDEX}']` };
      const variable = { name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef } };
      container.env = [...objectsAt(container, "env"), variable];
    }
  }
  const ownerReference = {
    ...{ apiVersion: "batch/v1", kind: "Job", name, uid },
    ...{ controller: true, blockOwnerDeletion: true },
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "",
      generateName: index === undefined ? `${name}-` : `${name}-${index}-`,
      namespace,
      labels: { ...labels, ...own } as { [key: string]: string },
      annotations: { ...annotations, ...own } as { [key: string]: string },
      ownerReferences: [ownerReference],
    },
    spec,
  };
}
