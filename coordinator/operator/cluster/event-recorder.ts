import { randomBytes } from "node:crypto";
import { ApiException, type KubeConfig } from "@kubernetes/client-node";
import { collectionPath, requestApi } from "../../kubernetes/api-request.ts";
import { API_VERSION, KIND } from "../../kubernetes/names.ts";
import type { JobEvent } from "../reconcile/job-events.ts";
import type { ObservedJob } from "../reconcile/observation.ts";

const COMPONENT = "moestro-operator";
/** Of an Event's message, by the API. */
const MAX_MESSAGE_LENGTH = 1024;
/** The same thing is written again no sooner, counted up. */
const AGAIN_MS = 60_000;
/** More than this waits only while the API server is away. */
const MAX_WAITING = 256;
const MAX_KNOWN = 4096;

interface Known {
  job: ObservedJob;
  event: JobEvent;
  /** Undefined until it is written. */
  name: string | undefined;
  count: number;
  firstAtMs: number;
  writtenAtMs: number;
}

/**
 * Writes Events about jobs, one after the other and as well as it goes: nothing waits for them,
 * and what cannot be written is dropped.
 */
export class EventRecorder {
  private readonly config: KubeConfig;
  private readonly now: () => number;
  private readonly known = new Map<string, Known>();
  private readonly waiting = new Set<Known>();
  private writing: Promise<void> | undefined;

  constructor(config: KubeConfig, now: () => number = Date.now) {
    this.config = config;
    this.now = now;
  }

  record(job: ObservedJob, event: JobEvent): void {
    const message = event.message.slice(0, MAX_MESSAGE_LENGTH);
    const key = [job.metadata.uid, event.type, event.reason, message].join("\n");
    const nowMs = this.now();
    const known = this.known.get(key) ?? {
      ...{ job, event: { ...event, message }, name: undefined },
      ...{ count: 0, firstAtMs: nowMs, writtenAtMs: Number.NEGATIVE_INFINITY },
    };
    known.count += 1;
    // The newest last: those that did not happen for the longest are forgotten first.
    this.known.delete(key);
    this.known.set(key, known);
    const [oldest] = this.known.keys();
    if (this.known.size > MAX_KNOWN && oldest !== undefined) this.known.delete(oldest);
    if (nowMs - known.writtenAtMs < AGAIN_MS || this.waiting.size >= MAX_WAITING) return;
    known.writtenAtMs = nowMs;
    this.waiting.add(known);
    this.writing ??= this.write();
  }

  /** Settles when nothing waits to be written. */
  async idle(): Promise<void> {
    await this.writing;
  }

  private async write(): Promise<void> {
    for (const known of this.waiting) {
      this.waiting.delete(known);
      try {
        known.name = await this.writeOne(known);
      } catch {
        // Told in the job's conditions too; the next time is written anew.
        known.name = undefined;
      }
    }
    this.writing = undefined;
  }

  /** Gives back the Event's name. */
  private async writeOne(known: Known): Promise<string> {
    const { job, event, name, count, firstAtMs } = known;
    const { namespace, uid, resourceVersion } = job.metadata;
    const [firstTimestamp, lastTimestamp] = [firstAtMs, this.now()].map((atMs) =>
      // The API takes whole seconds.
      new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z"),
    );
    const events = collectionPath("v1", "events", namespace);
    if (name !== undefined) {
      try {
        await requestApi(this.config, {
          ...{ method: "PATCH", path: `${events}/${name}`, body: { count, lastTimestamp } },
          contentType: "application/merge-patch+json",
        });
        return name;
      } catch (error) {
        // The API server keeps Events for an hour or so.
        if (!(error instanceof ApiException && error.code === 404)) throw error;
      }
    }
    const kind = { apiVersion: API_VERSION, kind: KIND };
    const fresh = `${job.metadata.name}.${randomBytes(8).toString("hex")}`;
    const body = {
      ...{ apiVersion: "v1", kind: "Event", metadata: { name: fresh, namespace } },
      involvedObject: { ...kind, name: job.metadata.name, namespace, uid, resourceVersion },
      ...{ ...event, count, firstTimestamp, lastTimestamp },
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
    };
    await requestApi(this.config, { method: "POST", path: events, body });
    return fresh;
  }
}
