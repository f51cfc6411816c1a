import { copy, type KubeObject } from "./json.ts";
import { keyOf } from "./resources.ts";

export type Change = {
  version: number;
  type: "ADDED" | "MODIFIED" | "DELETED";
  key: string;
  object: KubeObject;
  /** What it was before, of a MODIFIED. */
  previous: KubeObject | undefined;
};

type Kind = { group: string; plural: string };

/**
 * What etcd is to a real server: objects by kind, namespace and name, one number that
 * grows with each write, and the newest changes. Objects go in and come out as copies.
 */
export class Storage {
  private readonly kinds = new Map<string, Map<string, KubeObject>>();
  private readonly listeners = new Set<(change: Change) => void>();
  private changes: Change[] = [];
  private readonly maxChanges: number;
  /** Watches from before this version are refused. */
  oldestVersion = 0;
  version = 0;

  constructor(maxChanges = 10_000) {
    this.maxChanges = maxChanges;
  }

  get(kind: Kind, namespace: string | undefined, name: string): KubeObject | undefined {
    const found = this.kinds.get(keyOf(kind))?.get(`${namespace ?? ""}/${name}`);
    return found && copy(found);
  }

  /**
   * Objects of a kind, in a namespace or everywhere, by namespace and name. `where` sees
   * what is stored itself, before it is copied, and must not change it.
   */
  list(
    kind: Kind,
    namespace?: string,
    where: (object: KubeObject) => boolean = () => true,
  ): KubeObject[] {
    const all = [...(this.kinds.get(keyOf(kind)) ?? [])];
    return all
      .filter(([, object]) => namespace === undefined || object.metadata.namespace === namespace)
      .filter(([, object]) => where(object))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => copy(object));
  }

  /** Creates or replaces; gives back what is stored, with its new resourceVersion. */
  put(kind: Kind, object: KubeObject): KubeObject {
    const key = keyOf(kind);
    const objects = this.kinds.get(key) ?? new Map<string, KubeObject>();
    this.kinds.set(key, objects);
    const name = `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
    const previous = objects.get(name);
    this.version += 1;
    const stored = copy(object);
    stored.metadata.resourceVersion = String(this.version);
    objects.set(name, stored);
    this.tell({ type: previous ? "MODIFIED" : "ADDED", key, object: stored, previous });
    return copy(stored);
  }

  /** The last state, with the version of its deletion. */
  remove(kind: Kind, namespace: string | undefined, name: string): KubeObject | undefined {
    const key = keyOf(kind);
    const objects = this.kinds.get(key);
    const found = objects?.get(`${namespace ?? ""}/${name}`);
    if (!found) return undefined;
    objects?.delete(`${namespace ?? ""}/${name}`);
    this.version += 1;
    const last = copy(found);
    last.metadata.resourceVersion = String(this.version);
    this.tell({ type: "DELETED", key, object: last, previous: undefined });
    return copy(last);
  }

  /** Changes after a version, oldest first; undefined if some of them are forgotten. */
  since(version: number): Change[] | undefined {
    if (version < this.oldestVersion) return undefined;
    return this.changes.filter((change) => change.version > version);
  }

  /** Calls back with each change, in order; ends when the returned function is called. */
  subscribe(listener: (change: Change) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Forgets all changes so far, as etcd's compaction does. */
  compact(): void {
    this.changes = [];
    this.oldestVersion = this.version;
  }

  private tell(change: Omit<Change, "version">): void {
    const full = { ...change, version: this.version };
    this.changes.push(full);
    if (this.changes.length > this.maxChanges) {
      const dropped = this.changes.splice(0, this.changes.length - this.maxChanges / 2);
      this.oldestVersion = dropped.at(-1)?.version ?? this.oldestVersion;
    }
    for (const listener of [...this.listeners]) listener(full);
  }
}
