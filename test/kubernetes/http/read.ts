import { badRequest, expired, notFound } from "../api-error.ts";
import { asVersion, subjectOf } from "../cluster.ts";
import type { Json, JsonObject, KubeObject } from "../json.ts";
import { apiVersionOf } from "../resources.ts";
import { matchesFields, matchesLabels, parseSelector } from "../selectors.ts";
import type { Answer, Call } from "./call.ts";
import { partial, tableOf } from "./table.ts";

export function get(call: Call): Answer {
  const { cluster, resource, route } = call;
  const name = route.name ?? "";
  const found = cluster.storage.get(resource, route.namespace, name);
  if (!found) throw notFound(subjectOf(resource, name));
  return { code: 200, body: shown(call, asVersion(found, resource)) };
}

/** One object in the form that was asked for: whole, as a table, or its metadata. */
export function shown(call: Call, object: KubeObject, withColumns = true): Json {
  if (/as=Table/.test(call.accept)) {
    const { resourceVersion } = object.metadata;
    return table(call, [object], { resourceVersion: resourceVersion ?? "" }, withColumns);
  }
  return /as=PartialObjectMetadata;/.test(`${call.accept};`) ? partial(object) : object;
}

function table(
  { cluster, resource, query }: Call,
  objects: KubeObject[],
  metadata: JsonObject,
  withColumns: boolean,
): Json {
  const include = query.get("includeObject") ?? "Metadata";
  return tableOf(objects, resource, { metadata, now: cluster.now(), include, withColumns });
}

/** What the call's selectors let through. */
export function selects(call: Call): (object: KubeObject) => boolean {
  const labels = parseSelector(call.query.get("labelSelector") ?? "");
  const fields = parseSelector(call.query.get("fieldSelector") ?? "");
  return (object) => matchesLabels(object, labels) && matchesFields(object, fields);
}

type Continue = { version: number; start: number };

export function list(call: Call): Answer {
  const { cluster, resource, route, query } = call;
  const all = cluster.storage.list(resource, route.namespace, selects(call));
  const token = query.get("continue");
  const { version, start } = token ? readContinue(token) : atVersion(cluster.storage.version);
  if (version < cluster.storage.oldestVersion) {
    throw expired(
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
    );
  }
  const limit = Number(query.get("limit") ?? 0);
  const end = limit > 0 ? start + limit : all.length;
  const items = all.slice(start, end).map((object) => asVersion(object, resource));
  const metadata: JsonObject = { resourceVersion: String(version) };
  if (end < all.length) {
    metadata.continue = Buffer.from(JSON.stringify({ version, start: end })).toString("base64url");
    metadata.remainingItemCount = all.length - end;
  }
  if (/as=Table/.test(call.accept)) return { code: 200, body: table(call, items, metadata, true) };
  if (/as=PartialObjectMetadataList/.test(call.accept)) {
    const head = { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata };
    return { code: 200, body: { ...head, items: items.map(partial) } };
  }
  const head = { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata };
  return { code: 200, body: { ...head, items } };
}

function atVersion(version: number): Continue {
  return { version, start: 0 };
}

function readContinue(token: string): Continue {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString()) as Continue;
  } catch {
    throw badRequest("continue key is not valid");
  }
}
