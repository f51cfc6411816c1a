import { existsSync, readFileSync, unwatchFile, watchFile } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { badRequest } from "../api-error.ts";
import { type KubeObject, objectsAt, textAt } from "../json.ts";
import type { PodWorker } from "./pod-worker.ts";

const LOOK_MS = 100;

/** A container's log: whole or its last lines, and what comes after if it is followed. */
export async function writePodLog(
  pod: KubeObject,
  worker: PodWorker | undefined,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const containers = objectsAt(pod, "spec", "containers").map((each) => textAt(each, "name"));
  const container = query.get("container") ?? containers[0] ?? "";
  const file = worker && join(worker.logDirectory, `${container}.log`);
  if (!worker || !file || !existsSync(file)) {
    const { name } = pod.metadata;
    throw badRequest(`container "${container}" in pod "${name}" is waiting to start`);
  }
  response.writeHead(200, { "content-type": "text/plain" });
  const all = readFileSync(file);
  const numLines = Number(query.get("tailLines") ?? Number.POSITIVE_INFINITY);
  response.write(tail(all.toString(), numLines));
  if (query.get("follow") === "true") await follow(file, all.length, worker, response);
  response.end();
}

async function follow(
  file: string,
  from: number,
  worker: PodWorker,
  response: ServerResponse,
): Promise<void> {
  let sent = from;
  const more = (): void => {
    const now = readFileSync(file);
    response.write(now.subarray(sent));
    sent = now.length;
  };
  watchFile(file, { interval: LOOK_MS }, more);
  await Promise.race([worker.done, new Promise((resolve) => response.once("close", resolve))]);
  unwatchFile(file, more);
  if (!response.destroyed) more();
}

function tail(text: string, numLines: number): string {
  if (numLines === Number.POSITIVE_INFINITY) return text;
  const lines = text.split(/(?<=\n)/);
  return lines.slice(Math.max(0, lines.length - numLines)).join("");
}
