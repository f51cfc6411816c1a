import type { KubeConfig } from "@kubernetes/client-node";
import { JOB_LABEL } from "../../kubernetes/children/identity.ts";
import { API_VERSION, KIND } from "../../kubernetes/names.ts";
import type { SeenCluster } from "../job-looks.ts";
import { isAgents } from "../reconcile/agents.ts";
import type { ObservedJob, ObservedObject } from "../reconcile/observation.ts";
import { ListWatch, type WatchedKind, type WatchOptions } from "./list-watch.ts";
import { trimmed } from "./trim.ts";
import { jobNameOf, messagesOf, podsJobNames, WARNINGS, warningOf } from "./warning.ts";

/** Kinds of the children that are of Kubernetes itself. */
const CHILDREN: readonly (readonly [string, string, string])[] = [
  ["v1", "ServiceAccount", "serviceaccounts"],
  ["v1", "Service", "services"],
  ["v1", "ConfigMap", "configmaps"],
  ["networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"],
  ["policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"],
  ["batch/v1", "Job", "jobs"],
];
const JOB_SETS = ["jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets"] as const;

type NameOf = (object: ObservedObject) => string | undefined;

const labelOf: NameOf = ({ metadata }) => metadata.labels?.[JOB_LABEL];
const nameOf = ({ metadata }: ObservedObject) => metadata.name;
const ownersOf = ({ metadata }: ObservedObject) =>
  metadata.ownerReferences?.map(({ uid }) => uid) ?? [];

/** MoETrainingJobs of a namespace and all that is theirs, as watches know it. */
export class WatchedCluster implements SeenCluster {
  readonly hasJobSets: boolean;
  private readonly jobs: ListWatch;
  private readonly kinds: ListWatch[];
  private readonly podsOfJobs: ListWatch;
  /** Of no matter for what is there: where Events may not be read, there are no warnings. */
  private readonly warningsOfJobs: ListWatch;

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
    this.hasJobSets = options.hasJobSets;
    let wasComplete = false;
    const listed = () => {
      if (wasComplete || !this.isComplete) return;
      wasComplete = true;
      for (const name of this.names()) told.changed(name);
    };
    const watch = (kind: Omit<WatchedKind, "namespace">, jobOf: NameOf) => {
      const changed = (object: ObservedObject) => {
        const name = jobOf(object);
        if (name !== undefined && this.isComplete) told.changed(name);
      };
      const listener = { changed, listed, failed: told.failed };
      return new ListWatch(config, { namespace, trim: trimmed, ...kind }, listener, options);
    };
    const own = { apiVersion: API_VERSION, kind: KIND, plural: "moetrainingjobs" };
    this.jobs = watch({ ...own, keysOf: (job) => [nameOf(job)] }, nameOf);
    const ofJobs = { labelSelector: JOB_LABEL };
    this.kinds = [...CHILDREN, ...(options.hasJobSets ? [JOB_SETS] : [])].map(
      ([apiVersion, kind, plural]) =>
        watch({ ...ofJobs, apiVersion, kind, plural, keysOf: ownersOf }, labelOf),
    );
    const pod = { apiVersion: "v1", kind: "Pod", plural: "pods" };
    this.podsOfJobs = watch({ ...ofJobs, ...pod, keysOf: (one) => [labelOf(one) ?? ""] }, labelOf);
    const event = { apiVersion: "v1", kind: "Event", plural: "events", fieldSelector: WARNINGS };
    this.warningsOfJobs = watch(
      { ...event, trim: warningOf, keysOf: (warning) => [nameOf(warning)] },
      (warning) => jobNameOf(nameOf(warning)),
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
    await Promise.all([...this.watches(), this.warningsOfJobs].map((watch) => watch.run()));
  }

  close(): void {
    for (const watch of [...this.watches(), this.warningsOfJobs]) watch.close();
  }

  names(): string[] {
    return this.jobs.objects.values().map(nameOf);
  }

  job(name: string): ObservedJob | undefined {
    return this.jobs.objects.having(name).at(-1) as ObservedJob | undefined;
  }

  children({ metadata: { uid } }: ObservedJob): ObservedObject[] {
    return this.kinds.flatMap(({ objects }) => objects.having(uid));
  }

  pods({ metadata: { name } }: ObservedJob): ObservedObject[] {
    return this.podsOfJobs.objects.having(name);
  }

  warnings(job: ObservedJob): string[] {
    const about = podsJobNames(job).flatMap((name) => this.warningsOfJobs.objects.having(name));
    if (about.length === 0) return [];
    return messagesOf(about, this.children(job).find(isAgents), Date.now());
  }

  private watches(): ListWatch[] {
    return [this.jobs, ...this.kinds, this.podsOfJobs];
  }
}
