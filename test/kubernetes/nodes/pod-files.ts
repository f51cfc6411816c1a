import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Tokens } from "../access/tokens.ts";
import type { Cluster } from "../cluster.ts";
import {
  at,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  objectsAt,
  textAt,
} from "../json.ts";
import { fieldOf } from "./pod-environment.ts";

/** Why a pod's volumes cannot be made, as the kubelet says it. */
export class MissingSource extends Error {}

/**
 * Makes a pod's volumes as folders: config maps, secrets, projected tokens and downward
 * fields as files, everything else empty. Gives back the folders by volume.
 */
export function writeVolumes(
  pod: KubeObject,
  directory: string,
  { cluster, tokens }: { cluster: Cluster; tokens: Tokens },
): Map<string, string> {
  const volumes = objectsAt(pod, "spec", "volumes").map((volume): [string, string] => {
    const name = textAt(volume, "name");
    const claim = textAt(volume, "persistentVolumeClaim", "claimName");
    // A claim's folder is everybody's who claims it, and stays.
    const folder =
      claim === ""
        ? join(directory, "volumes", name)
        : claimFolder(dirname(directory), pod.metadata.namespace ?? "", claim);
    mkdirSync(folder, { recursive: true });
    const sources = [volume, ...objectsAt(volume, "projected", "sources")];
    for (const source of sources) writeSource(source, folder, pod, cluster, tokens);
    return [name, folder];
  });
  return new Map(volumes);
}

/** Where what is written in a claim lies, below the folder of all pods. */
export function claimFolder(directory: string, namespace: string, name: string): string {
  return join(directory, "claims", namespace, name);
}

function writeSource(
  source: JsonObject,
  folder: string,
  pod: KubeObject,
  cluster: Cluster,
  tokens: Tokens,
): void {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  for (const [plural, part] of [
    ["configmaps", configMap],
    ["secrets", secret],
  ] as const) {
    if (isObject(part)) writeData(dataOf(cluster, pod, plural, part), part, folder);
  }
  for (const item of objectsAt(downwardAPI, "items")) {
    write(folder, textAt(item, "path"), fieldOf(pod, textAt(item, "fieldRef", "fieldPath")));
  }
  if (!isObject(serviceAccountToken)) return;
  const { audience, expirationSeconds, path } = serviceAccountToken;
  const { name, uid = "", namespace = "" } = pod.metadata;
  const { token } = tokens.issue({
    namespace,
    serviceAccount: textAt(pod, "spec", "serviceAccountName") || "default",
    pod: { name, uid },
    ...(typeof audience === "string" ? { audiences: [audience] } : {}),
    ...(typeof expirationSeconds === "number" ? { expirationSeconds } : {}),
  });
  write(folder, String(path ?? "token"), token);
}

/** What a config map or secret holds, decoded. Throws MissingSource. */
export function dataOf(
  cluster: Cluster,
  pod: KubeObject,
  plural: "configmaps" | "secrets",
  reference: Json,
): { [key: string]: string } {
  const name = textAt(reference, "name") || textAt(reference, "secretName");
  const found = cluster.storage.get({ group: "", plural }, pod.metadata.namespace, name);
  if (!found && at(reference, "optional") !== true) {
    throw new MissingSource(`${plural.slice(0, -1)} "${name}" not found`);
  }
  const decode = (value: Json | undefined): string =>
    plural === "secrets" ? Buffer.from(String(value), "base64").toString() : String(value);
  const data = isObject(found?.data) ? found.data : {};
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, decode(value)]));
}

function writeData(data: { [key: string]: string }, source: JsonObject, folder: string): void {
  const items = objectsAt(source, "items");
  if (items.length === 0)
    for (const [key, value] of Object.entries(data)) write(folder, key, value);
  for (const item of items) write(folder, textAt(item, "path"), data[textAt(item, "key")] ?? "");
}

function write(folder: string, path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
