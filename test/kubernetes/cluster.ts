import { createHash } from "node:crypto";
import { noSuchPath, type Subject } from "./api-error.ts";
import { BUILT_IN } from "./built-in.ts";
import { resourcesOf } from "./crd/definition.ts";
import { copy, type KubeObject } from "./json.ts";
import { keyOf, type Resource } from "./resources.ts";
import { Storage } from "./storage.ts";

/** What a mutating webhook would do: it may change what is about to be written. */
export type Webhook = (object: KubeObject, operation: "CREATE" | "UPDATE") => void;

/**
 * The state of the cluster that is played: what is stored, what kinds there are, the time.
 * Names and uids come from a counter, so that two runs of a test have the same.
 */
export class Cluster {
  readonly storage: Storage;
  readonly webhooks: Webhook[] = [];
  private readonly custom = new Map<string, Resource[]>();
  private counter = 0;
  /** The wall clock; a test may set it. */
  now: () => number = Date.now;

  constructor(options: { maxChanges?: number } = {}) {
    this.storage = new Storage(options.maxChanges);
    this.storage.subscribe(({ key, type, object }) => {
      if (key !== "apiextensions.k8s.io/customresourcedefinitions") return;
      if (type === "DELETED") this.custom.delete(object.metadata.name);
      else this.custom.set(object.metadata.name, resourcesOf(object));
    });
  }

  /** The time as objects hold it, in whole seconds. */
  timestamp(): string {
    return new Date(this.now()).toISOString().replace(/\.\d+Z$/, "Z");
  }

  /** The time as Leases and Events hold it. */
  microTime(): string {
    return new Date(this.now()).toISOString().replace(/Z$/, "000Z");
  }

  resources(): Resource[] {
    return [...BUILT_IN, ...[...this.custom.values()].flat()];
  }

  /** Throws a 404 where no such kind is served. */
  resource(group: string, version: string, plural: string): Resource {
    const found = this.resources().find(
      (each) => each.group === group && each.version === version && each.plural === plural,
    );
    if (!found) throw noSuchPath();
    return found;
  }

  /** A kind by its key, in whatever version comes first. */
  resourceByKey(key: string): Resource | undefined {
    return this.resources().find((each) => keyOf(each) === key);
  }

  newUid(): string {
    const hex = this.digest();
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      `4${hex.slice(13, 16)}`,
      `8${hex.slice(17, 20)}`,
      hex.slice(20, 32),
    ].join("-");
  }

  /** Five characters such as generated names end in. */
  newSuffix(): string {
    const letters = "bcdfghjklmnpqrstvwxz2456789";
    const hex = this.digest();
    return Array.from({ length: 5 }, (_, index) => {
      const byte = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16);
      return letters[byte % letters.length];
    }).join("");
  }

  /** An address for a Service; nothing listens there. */
  newAddress(): string {
    this.counter += 1;
    return `10.96.${Math.floor(this.counter / 250) % 250}.${(this.counter % 250) + 1}`;
  }

  private digest(): string {
    this.counter += 1;
    return createHash("sha256").update(String(this.counter)).digest("hex");
  }
}

export function subjectOf(resource: Resource, name: string): Subject {
  return { group: resource.group, plural: resource.plural, kind: resource.kind, name };
}

/** An object as a version of its kind is read: versions differ in name only. */
export function asVersion(object: KubeObject, resource: Resource): KubeObject {
  const apiVersion =
    resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
  return object.apiVersion === apiVersion ? object : { ...copy(object), apiVersion };
}
