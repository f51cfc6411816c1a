import type { ObservedObject } from "../reconcile/observation.ts";

/** Objects by their uid, and by keys that several of them may have. */
export class KeyedObjects {
  private readonly byUid = new Map<string, ObservedObject>();
  private readonly byKey = new Map<string, Map<string, ObservedObject>>();
  private readonly keysOf: (object: ObservedObject) => readonly string[];

  constructor(keysOf: (object: ObservedObject) => readonly string[] = () => []) {
    this.keysOf = keysOf;
  }

  get(uid: string): ObservedObject | undefined {
    return this.byUid.get(uid);
  }

  /** Takes the place of what had its uid. */
  put(object: ObservedObject): void {
    const { uid } = object.metadata;
    this.delete(uid);
    this.byUid.set(uid, object);
    for (const key of this.keysOf(object)) {
      const group = this.byKey.get(key) ?? new Map<string, ObservedObject>();
      this.byKey.set(key, group.set(uid, object));
    }
  }

  /** Whether there was one. */
  delete(uid: string): boolean {
    const object = this.byUid.get(uid);
    if (object === undefined) return false;
    for (const key of this.keysOf(object)) {
      const group = this.byKey.get(key);
      group?.delete(uid);
      if (group?.size === 0) this.byKey.delete(key);
    }
    return this.byUid.delete(uid);
  }

  having(key: string): ObservedObject[] {
    return [...(this.byKey.get(key)?.values() ?? [])];
  }

  values(): ObservedObject[] {
    return [...this.byUid.values()];
  }
}
