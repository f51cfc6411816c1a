import type { Cluster } from "../cluster.ts";
import type { KubeObject } from "../json.ts";

const EVENTS = { group: "", plural: "events" };

/** Writes an Event about an object; one that says the same again is counted up. */
export function recordEvent(
  cluster: Cluster,
  about: KubeObject,
  { type, reason, message }: { type: "Normal" | "Warning"; reason: string; message: string },
): void {
  const { namespace = "default", name, uid = "" } = about.metadata;
  const { apiVersion, kind } = about;
  const now = cluster.timestamp();
  const [known] = cluster.storage.list(
    EVENTS,
    namespace,
    (event) => event.reason === reason && event.message === message && isAbout(event, uid),
  );
  if (known) {
    cluster.storage.put(EVENTS, { ...known, count: Number(known.count) + 1, lastTimestamp: now });
    return;
  }
  cluster.storage.put(EVENTS, {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: `${name}.${cluster.newSuffix()}`,
      namespace,
      uid: cluster.newUid(),
      creationTimestamp: now,
    },
    involvedObject: { apiVersion, kind, name, namespace, uid },
    ...{ type, reason, message, count: 1, firstTimestamp: now, lastTimestamp: now },
    source: { component: "job-controller" },
  });
}

function isAbout(event: KubeObject, uid: string): boolean {
  const about = event.involvedObject;
  return typeof about === "object" && about !== null && "uid" in about && about.uid === uid;
}
