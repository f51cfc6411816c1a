import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type KubeConfig, Watch } from "@kubernetes/client-node";
import { collectionPath, requestApi } from "../../kubernetes/api-request.ts";
import { type RetryOptions, retryMs } from "../../retry.ts";
import type { ObservedObject } from "../reconcile/observation.ts";
import { KeyedObjects } from "./keyed-objects.ts";

/** What is watched. */
export interface WatchedKind {
  apiVersion: string;
  kind: string;
  plural: string;
  namespace: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** What is kept of an object; undefined if it is of no concern. */
  trim?(object: ObservedObject): ObservedObject | undefined;
  /** What it is looked up by. */
  keysOf?(object: ObservedObject): readonly string[];
}

export interface WatchOptions extends RetryOptions {
  /** A watch that says nothing for so long, not even a bookmark, is opened again. */
  silentMs: number;
  /** Everything is listed again this often, a part of it earlier. */
  relistMs: number;
}

/** Below the 30 s after which the client itself gives up a watch that is silent. */
export const WATCH_OPTIONS: Omit<WatchOptions, keyof RetryOptions> = {
  ...{ silentMs: 25_000, relistMs: 30 * 60_000 },
};

export interface WatchListener {
  /** An object is new, gone or changed in what is kept of it. */
  changed(object: ObservedObject): void;
  /** All that there is has been told. */
  listed(): void;
  /** Listing or watching went wrong; it is tried again. */
  failed(error: unknown, retryMs: number): void;
}

const PAGE = 500;
const GONE = 410;

/** Everything of one kind as the API server has it, kept up to date by a watch. */
export class ListWatch {
  readonly objects: KeyedObjects;
  /** Whether all there was has been seen once. */
  isComplete = false;
  /** When everything was listed last; of the wall clock, 0 before. */
  listedAtMs = 0;
  private readonly config: KubeConfig;
  private readonly watcher: Watch;
  private readonly kind: WatchedKind;
  private readonly listener: WatchListener;
  private readonly options: WatchOptions;
  private version: string | undefined;
  private heardAtMs = Date.now();
  private readonly closing = new AbortController();

  constructor(
    config: KubeConfig,
    kind: WatchedKind,
    listener: WatchListener,
    options: WatchOptions,
  ) {
    this.config = config;
    this.watcher = new Watch(config);
    this.kind = kind;
    this.objects = new KeyedObjects(kind.keysOf);
    this.listener = listener;
    this.options = options;
  }

  /** How long nothing was heard from the API server. */
  get ageMs(): number {
    return Date.now() - this.heardAtMs;
  }

  /** Lists and watches until it is closed. */
  async run(): Promise<void> {
    const { signal } = this.closing;
    for (let numFailures = 0; !signal.aborted; ) {
      try {
        if (this.version === undefined || this.isRelistDue()) await this.list();
        await this.watch();
        numFailures = 0;
      } catch (error) {
        if (signal.aborted) return;
        numFailures += 1;
        const waitMs = retryMs(numFailures, this.options);
        this.listener.failed(error, waitMs);
        await sleep(waitMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  close(): void {
    this.closing.abort();
  }

  private relistInMs(): number {
    return this.listedAtMs + this.options.relistMs * (1 - this.options.random() / 5) - Date.now();
  }

  private isRelistDue(): boolean {
    return this.relistInMs() <= 0;
  }

  private async list(): Promise<void> {
    const found: ObservedObject[] = [];
    let next: string | undefined;
    let version: string | undefined;
    do {
      const query = { limit: String(PAGE), ...(next === undefined ? {} : { continue: next }) };
      const page = (await requestApi(this.config, {
        ...{ method: "GET", path: this.path(), query: { ...this.selectors(), ...query } },
      })) as Page;
      found.push(...page.items.map((item) => this.named(item)));
      next = page.metadata.continue || undefined;
      version = page.metadata.resourceVersion;
    } while (next !== undefined);
    // Of all pages, or a watch would begin after what was never seen.
    this.version = version;
    this.heardAtMs = Date.now();
    this.listedAtMs = this.heardAtMs;
    const uids = new Set(found.map(({ metadata }) => metadata.uid));
    for (const { metadata } of this.objects.values()) {
      if (!uids.has(metadata.uid)) this.forget(metadata.uid);
    }
    for (const object of found) this.keep(object);
    this.isComplete = true;
    this.listener.listed();
  }

  private selectors(): Record<string, string> {
    const { labelSelector, fieldSelector } = this.kind;
    return {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }

  /** Items of a list do not say what they are. */
  private named(item: object): ObservedObject {
    const { apiVersion, kind } = this.kind;
    return { ...(item as ObservedObject), apiVersion, kind };
  }

  private keep(object: ObservedObject): void {
    const { trim = (whole: ObservedObject) => whole } = this.kind;
    const kept = trim(object);
    if (kept === undefined) return;
    const old = this.objects.get(kept.metadata.uid);
    if (old?.metadata.resourceVersion === kept.metadata.resourceVersion) return;
    this.objects.put(kept);
    if (old === undefined || !isDeepStrictEqual(unversioned(old), unversioned(kept))) {
      this.listener.changed(kept);
    }
  }

  private forget(uid: string): void {
    const object = this.objects.get(uid);
    if (object !== undefined && this.objects.delete(uid)) this.listener.changed(object);
  }

  /** Until the server ends it, it is silent for too long, or it is time to list again. */
  private watch(): Promise<void> {
    const { resolve, reject, promise } = Promise.withResolvers<void>();
    let opened: AbortController | undefined;
    let isOver = false;
    const end = () => {
      isOver = true;
      opened?.abort();
      resolve();
    };
    let silence = setTimeout(end, this.options.silentMs);
    const relist = setTimeout(end, Math.min(2 ** 31 - 1, this.relistInMs()));
    const hear = (type: string, object: unknown) => {
      clearTimeout(silence);
      silence = setTimeout(end, this.options.silentMs);
      this.hear(type, object);
    };
    const query = {
      ...{ allowWatchBookmarks: true, resourceVersion: this.version },
      ...{ timeoutSeconds: watchSeconds(this.options.silentMs), ...this.selectors() },
    };
    this.closing.signal.addEventListener("abort", end, { once: true });
    this.watcher
      .watch(this.path(), query, hear, (error) =>
        error == null || isAbort(error) ? resolve() : reject(error),
      )
      .then((controller) => {
        opened = controller;
        // It was given up before it was open, and would stay so.
        if (isOver || this.closing.signal.aborted) controller.abort();
      }, reject);
    return promise.finally(() => {
      clearTimeout(silence);
      clearTimeout(relist);
      this.closing.signal.removeEventListener("abort", end);
    });
  }

  private hear(type: string, told: unknown): void {
    this.heardAtMs = Date.now();
    if (type === "ERROR") {
      // Too old to go on from: everything is listed again.
      this.version = undefined;
      const { code, message } = told as { code?: number; message?: string };
      if (code !== GONE) this.listener.failed(new Error(message ?? "the watch failed"), 0);
      return;
    }
    const object = told as ObservedObject;
    if (this.version !== undefined) this.version = object.metadata.resourceVersion;
    if (type === "DELETED") this.forget(object.metadata.uid);
    else if (type !== "BOOKMARK") this.keep(object);
  }

  private path(): string {
    const { apiVersion, plural, namespace } = this.kind;
    return collectionPath(apiVersion, plural, namespace);
  }
}

interface Page {
  items: object[];
  metadata: { continue?: string; resourceVersion: string };
}

/**
 * How long the server is asked to watch. It sends bookmarks once a minute and two seconds before
 * such a time is over, so that the version of a kind that is quiet does not grow too old.
 */
function watchSeconds(silentMs: number): number {
  return Math.max(1, Math.floor(silentMs / 1000) - 3);
}

function unversioned({ metadata, ...content }: ObservedObject) {
  const { resourceVersion: _, ...rest } = metadata;
  return { ...content, metadata: rest };
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && ["AbortError", "TimeoutError"].includes(error.name);
}
