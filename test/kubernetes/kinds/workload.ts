import { at, isObject, objectsAt, textAt } from "../json.ts";
import { changed } from "./immutable.ts";
import type { Kind } from "./kinds.ts";
import { checkPodSpec, setPodDefaults } from "./pod.ts";

/** Deployments and StatefulSets. */
export const workload: Kind = {
  hasGeneration: true,
  setDefaults(object) {
    const spec = isObject(object.spec) ? object.spec : {};
    object.spec = spec;
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
    const podSpec = at(spec, "template", "spec");
    if (isObject(podSpec)) setPodDefaults(podSpec);
  },
  check(object, old) {
    const podSpec = at(object, "spec", "template", "spec");
    // A volume claim template is a volume of that name.
    const claims = objectsAt(object, "spec", "volumeClaimTemplates").map((claim) =>
      textAt(claim, "metadata", "name"),
    );
    const own = isObject(podSpec) ? checkPodSpec(podSpec, "spec.template.spec", claims) : [];
    return [...own, ...changed(object, old, ["selector"])];
  },
};
