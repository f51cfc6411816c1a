import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import { stringify } from "yaml";
import { API_GROUP } from "../../kubernetes/names.ts";
import type { ObservedObject } from "../../operator/reconcile/observation.ts";

/** What the API server keeps for itself. */
const SERVERS = new Set([
  ...["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"],
  ...["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"],
]);
/** Annotations by which the operator knows what it has said. */
const MARK = `${API_GROUP}/`;
const NOTHING = "/dev/null";

/**
 * How an object would change, as a unified diff of YAML; empty if it would not.
 *
 * @param live undefined if there is none
 * @param next undefined if it would be deleted
 */
export function diffText(
  live: ObservedObject | undefined,
  next: ObservedObject | undefined,
): string {
  const [before, after] = [textOf(live), textOf(next)];
  if (before === after) return "";
  return createTwoFilesPatch(
    ...[nameOf("live", live), nameOf("applied", next), before, after, undefined, undefined],
    { context: 3, headerOptions: FILE_HEADERS_ONLY },
  );
}

function nameOf(side: string, object: ObservedObject | undefined): string {
  if (object === undefined) return NOTHING;
  const { kind, metadata } = object;
  return `${side}/${metadata.namespace}/${kind}/${metadata.name}`;
}

function textOf(object: ObservedObject | undefined): string {
  if (object === undefined) return "";
  const { status: _, metadata, ...content } = object;
  const options = { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 0 };
  return stringify({ ...content, metadata: without(metadata) }, options);
}

function without({ annotations, ownerReferences, ...others }: ObservedObject["metadata"]) {
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !key.startsWith(MARK));
  const owners = ownerReferences?.map(({ uid: _, ...owner }) => owner);
  return {
    ...Object.fromEntries(Object.entries(others).filter(([key]) => !SERVERS.has(key))),
    ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
    ...(owners === undefined ? {} : { ownerReferences: owners }),
  };
}
