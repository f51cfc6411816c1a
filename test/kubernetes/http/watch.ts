import type { ServerResponse } from "node:http";
import { expired } from "../api-error.ts";
import { asVersion } from "../cluster.ts";
import type { Faults } from "../faults.ts";
import type { Json, JsonObject, KubeObject } from "../json.ts";
import { apiVersionOf, keyOf } from "../resources.ts";
import type { Change } from "../storage.ts";
import type { Call } from "./call.ts";
import { selects, shown } from "./read.ts";
import { resourceText } from "./route.ts";

const MAX_WATCH_MS = 30 * 60_000;

/** Streams changes until the client leaves, the time is up or a test drops the watch. */
export function watch(
  call: Call,
  response: ServerResponse,
  { faults, bookmarkMs }: { faults: Faults; bookmarkMs: number },
): void {
  const { cluster, resource, route, query } = call;
  const { storage } = cluster;
  const key = keyOf(resource);
  const select = selects(call);
  let isFirst = true;
  const send = (type: string, object: Json): void => {
    if (!faults.areWatchesSilent) response.write(`${JSON.stringify({ type, object })}\n`);
  };
  const sendObject = (type: string, object: KubeObject): void => {
    send(type, shown(call, asVersion(object, resource), isFirst));
    isFirst = false;
  };
  const tell = ({ key: changed, type, object, previous }: Change): void => {
    const { namespace } = object.metadata;
    if (changed !== key || (route.namespace !== undefined && route.namespace !== namespace)) return;
    const is = select(object);
    const was = type !== "ADDED" && select(previous ?? object);
    if (type === "DELETED") {
      if (is) sendObject("DELETED", object);
    } else if (is) sendObject(was ? "MODIFIED" : "ADDED", object);
    // It left what the watch selects: to the watcher it is gone.
    else if (was && previous) {
      const { resourceVersion = "" } = object.metadata;
      sendObject("DELETED", { ...previous, metadata: { ...previous.metadata, resourceVersion } });
    }
  };
  const bookmark = (annotations?: { [key: string]: string }): void => {
    const metadata: JsonObject = { resourceVersion: String(storage.version) };
    if (annotations) metadata.annotations = annotations;
    send("BOOKMARK", { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata });
  };
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const given = query.get("resourceVersion") ?? "";
  const wantsState = query.get("sendInitialEvents") === "true";
  const isFromNow = given === "" || given === "0" || wantsState;
  const missed = isFromNow ? [] : storage.since(Number(given));
  if (missed === undefined) {
    const { body } = expired(`too old resource version: ${given} (${storage.oldestVersion})`);
    send("ERROR", body);
    response.end();
    return;
  }
  if (isFromNow) {
    const now = storage.list(resource, route.namespace, select);
    for (const object of now) sendObject("ADDED", object);
    if (wantsState) bookmark({ "k8s.io/initial-events-end": "true" });
  }
  for (const change of missed) tell(change);
  const ends: (() => void)[] = [storage.subscribe(tell)];
  const end = (): void => {
    for (const each of ends.splice(0)) each();
    response.end();
  };
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  const wantsBookmarks = ["1", "true"].includes(query.get("allowWatchBookmarks") ?? "");
  const timeOut = (): void => {
    // As Kubernetes does, though two seconds before.
    if (wantsBookmarks) bookmark();
    end();
  };
  const timer = setTimeout(timeOut, seconds > 0 ? seconds * 1000 : MAX_WATCH_MS);
  const bookmarks = setInterval(() => wantsBookmarks && bookmark(), bookmarkMs);
  ends.push(
    () => clearTimeout(timer),
    () => clearInterval(bookmarks),
    faults.addWatch({ resource: resourceText(route), drop: () => response.destroy() }),
  );
  response.on("close", end);
}
