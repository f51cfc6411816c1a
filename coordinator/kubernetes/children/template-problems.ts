import { isMapping } from "../../spec/mapping.ts";
import type { JobPath, Problem } from "../../spec/problems.ts";
import { LIST_KEYS } from "./merge-template.ts";
import { reachProblems } from "./template-reach.ts";
import { runsProblems } from "./template-runs.ts";

/** Of the pod, what the job's own working depends on. */
export const OUR_POD_FIELDS: Readonly<Record<string, string>> = {
  restartPolicy: "is Never: the job replaces pods, and the agent starts ranks again",
  serviceAccountName: "is the job's own, which its pods join the coordinator by",
  subdomain: "is the job's service, which gives its pods their names",
  hostname: "is made of the job's name and the pod's index",
};
const OUR_LABEL = /^(app\.kubernetes\.io|moestro\.dev)\//;

/** What a pod template's patch may not say, below `spec`. */
export function templateProblems(template: unknown): Problem[] {
  if (template === undefined) return [];
  const path = ["spec", "template"];
  if (!isMapping(template)) return [{ path, message: "must be a mapping of metadata and spec" }];
  const { metadata, spec, ...others } = template;
  const unknown = Object.keys(others).map((key) => ({
    ...{ path: [...path, key], message: "unknown key; a pod template has metadata and spec" },
  }));
  return [
    ...unknown,
    ...metadataProblems(metadata, [...path, "metadata"]),
    ...podProblems(spec, [...path, "spec"]),
  ];
}

function metadataProblems(metadata: unknown, path: JobPath): Problem[] {
  if (metadata === undefined) return [];
  if (!isMapping(metadata)) {
    return [{ path, message: "must be a mapping of labels and annotations" }];
  }
  const { labels, annotations: _, ...others } = metadata;
  const unknown = Object.keys(others).map((key) => ({
    ...{ path: [...path, key], message: "cannot be patched; labels and annotations can" },
  }));
  const ours = Object.keys(isMapping(labels) ? labels : {}).filter((key) => OUR_LABEL.test(key));
  const message = "is a label that moestro finds its pods by; choose another";
  return [...unknown, ...ours.map((key) => ({ path: [...path, "labels", key], message }))];
}

function podProblems(spec: unknown, path: JobPath): Problem[] {
  if (spec === undefined) return [];
  if (!isMapping(spec)) return [{ path, message: "must be a mapping, the spec of a pod" }];
  const ours = Object.entries(OUR_POD_FIELDS)
    .filter(([key]) => Object.hasOwn(spec, key))
    .map(([key, why]) => ({ path: [...path, key], message: `${why}; remove it` }));
  return [
    ...ours,
    ...keyProblems(spec, path),
    ...reachProblems(spec, path),
    ...runsProblems(spec, path),
  ];
}

/** Entries of lists that are merged by a key must have it, and containers are such themselves. */
function keyProblems(spec: Record<string, unknown>, path: JobPath): Problem[] {
  return Object.entries(spec).flatMap(([name, list]) => {
    const by = LIST_KEYS.get(name);
    if (by === undefined || list === null) return [];
    if (!Array.isArray(list)) return [{ path: [...path, name], message: "must be a list" }];
    return list.flatMap((entry, index) => {
      const place = [...path, name, index];
      if (!isMapping(entry) || entry[by] === undefined) {
        return [{ path: place, message: `has no ${by}, which entries are merged by; add it` }];
      }
      return keyProblems(entry, place);
    });
  });
}
