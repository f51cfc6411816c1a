import type { KubeConfig } from "@kubernetes/client-node";
import { JOB_LABEL } from "../kubernetes/children/identity.ts";
import { API_VERSION, KIND } from "../kubernetes/names.ts";
import type { SeenCluster } from "./job-looks.ts";
import { ListWatch, type WatchedKind, type WatchOptions } from "./list-watch.ts";
import type { ObservedJob, ObservedObject } from "./observation.ts";

/** Kinds of the children that are of Kubernetes itself, and the pods. */
const LABELLED: readonly (readonly [string, string, string])[] = [
  ["v1", "ServiceAccount", "serviceaccounts"],
  ["v1", "Service", "services"],
  ["v1", "ConfigMap", "configmaps"],
  ["v1", "Pod", "pods"],
  ["networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"],
  ["policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"],
  ["batch/v1", "Job", "jobs"],
];
const JOB_SETS = ["jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets"] as const;

/** MoETrainingJobs of a namespace and all that is theirs, as watches know it. */
export class WatchedCluster implements SeenCluster {
  private readonly jobs: ListWatch;
  private readonly labelled: ListWatch[];

  /**
   * @param told `changed` asks for a look at a job by its name, once everything has been seen
   * @param options `hasJobSets`: whether the cluster has that kind
   */
  constructor(
    config: KubeConfig,
    namespace: string,
    told: { changed(name: string): void; failed(error: unknown, retryMs: number): void },
    options: WatchOptions & { hasJobSets: boolean },
  ) {
    let wasComplete = false;
    const listed = () => {
      if (wasComplete || !this.isComplete) return;
      wasComplete = true;
      for (const name of this.names()) told.changed(name);
    };
    const watch = (kind: WatchedKind, nameOf: (object: ObservedObject) => string | undefined) => {
      const changed = (object: ObservedObject) => {
        const name = nameOf(object);
        if (name !== undefined && this.isComplete) told.changed(name);
      };
      const listener = { changed, listed, failed: told.failed };
      return new ListWatch(config, kind, listener, options);
    };
    const own = { apiVersion: API_VERSION, kind: KIND, plural: "moetrainingjobs", namespace };
    this.jobs = watch(own, ({ metadata }) => metadata.name);
    this.labelled = [...LABELLED, ...(options.hasJobSets ? [JOB_SETS] : [])].map(
      ([apiVersion, kind, plural]) =>
        watch(
          { apiVersion, kind, plural, namespace, labelSelector: JOB_LABEL },
          ({ metadata }) => metadata.labels?.[JOB_LABEL],
        ),
    );
  }

  /** Whether all there was has been seen: before, a child that is not seen may be there. */
  get isComplete(): boolean {
    return this.watches().every(({ isComplete }) => isComplete);
  }

  /** The watch that has heard nothing for the longest. */
  get ageMs(): number {
    return Math.max(...this.watches().map(({ ageMs }) => ageMs));
  }

  async run(): Promise<void> {
    await Promise.all(this.watches().map((watch) => watch.run()));
  }

  close(): void {
    for (const watch of this.watches()) watch.close();
  }

  names(): string[] {
    return [...this.jobs.objects.values()].map(({ metadata }) => metadata.name);
  }

  job(name: string): ObservedJob | undefined {
    const found = [...this.jobs.objects.values()].find(({ metadata }) => metadata.name === name);
    return found as ObservedJob | undefined;
  }

  children({ metadata: { uid } }: ObservedJob): ObservedObject[] {
    return this.all().filter(({ metadata }) =>
      metadata.ownerReferences?.some((owner) => owner.uid === uid),
    );
  }

  pods({ metadata: { name } }: ObservedJob): ObservedObject[] {
    return this.all().filter(
      ({ kind, metadata }) => kind === "Pod" && metadata.labels?.[JOB_LABEL] === name,
    );
  }

  private all(): ObservedObject[] {
    return this.labelled.flatMap(({ objects }) => [...objects.values()]);
  }

  private watches(): ListWatch[] {
    return [this.jobs, ...this.labelled];
  }
}
