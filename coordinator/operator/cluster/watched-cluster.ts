import type { KubeConfig } from "@kubernetes/client-node";
import { JOB_LABEL } from "../../kubernetes/children/identity.ts";
import { API_VERSION, KIND, PLURAL } from "../../kubernetes/names.ts";
import type { SeenCluster } from "../job-looks.ts";
import { isAgents } from "../reconcile/agents.ts";
import type { ObservedJob, ObservedObject } from "../reconcile/observation.ts";
import { CHILD_KINDS, JOB_SETS } from "./child-kinds.ts";
import { ListWatch, type WatchedKind, type WatchOptions } from "./list-watch.ts";
import { trimmed } from "./trim.ts";
import { jobNameOf, messagesOf, podsJobNames, WARNINGS, warningOf } from "./warning.ts";
import { whyOf } from "./why-of.ts";

/** JobSet puts it on pods. */
const JOB_SET_UID = "jobset.sigs.k8s.io/jobset-uid";

type NameOf = (object: ObservedObject) => string | undefined;

const labelOf: NameOf = ({ metadata }) => metadata.labels?.[JOB_LABEL];
/** Of a child, also where somebody changed its label. */
const ownerOf: NameOf = (child) =>
  child.metadata.ownerReferences?.find(({ kind }) => kind === KIND)?.name ?? labelOf(child);
const nameOf = ({ metadata }: ObservedObject) => metadata.name;
const ownersOf = ({ metadata }: ObservedObject) =>
  metadata.ownerReferences?.map(({ uid }) => uid) ?? [];

/** MoETrainingJobs of a namespace and all that is theirs, as watches know it. */
export class WatchedCluster implements SeenCluster {
  /** Why there are none; undefined if there are. */
  whyNoJobSets: string | undefined;
  private readonly jobs: ListWatch;
  private readonly kinds: ListWatch[];
  private jobSets: ListWatch | undefined;
  private readonly podsOfJobs: ListWatch;
  /** Of no matter for what is there: where Events may not be read, there are no warnings. */
  private readonly warningsOfJobs: ListWatch;

  /**
   * @param told `changed` asks for a look at a job by its name, once everything has been seen
   * @param options `whyNoJobSets`: undefined if the cluster has that kind
   */
  constructor(
    config: KubeConfig,
    namespace: string,
    told: { changed(name: string): void; failed(error: unknown, retryMs: number): void },
    options: WatchOptions & { whyNoJobSets: string | undefined },
  ) {
    this.whyNoJobSets = options.whyNoJobSets;
    let wasComplete = false;
    const listed = () => {
      if (wasComplete || !this.isComplete) return;
      wasComplete = true;
      for (const name of this.names()) told.changed(name);
    };
    const watch = (
      kind: Omit<WatchedKind, "namespace">,
      jobOf: NameOf,
      failed: (error: unknown, retryMs: number) => void = told.failed,
    ) => {
      const changed = (object: ObservedObject) => {
        const name = jobOf(object);
        if (name !== undefined && this.isComplete) told.changed(name);
      };
      const listener = { changed, listed, failed };
      return new ListWatch(config, { namespace, trim: trimmed, ...kind }, listener, options);
    };
    const own = { apiVersion: API_VERSION, kind: KIND, plural: PLURAL };
    this.jobs = watch({ ...own, keysOf: (job) => [nameOf(job)] }, nameOf);
    const ofJobs = { labelSelector: JOB_LABEL };
    this.kinds = CHILD_KINDS.map((kind) =>
      watch({ ...ofJobs, ...kind, keysOf: ownersOf }, ownerOf),
    );
    if (options.whyNoJobSets === undefined) {
      this.jobSets = watch({ ...ofJobs, ...JOB_SETS, keysOf: ownersOf }, ownerOf, (error, ms) => {
        told.failed(error, ms);
        if (!isRefused(error)) return;
        // All else goes on without them.
        this.whyNoJobSets = `JobSets cannot be watched: ${whyOf(error)}; apply the manifests of this version again`;
        this.jobSets?.close();
        this.jobSets = undefined;
        listed();
      });
    }
    const pod = { apiVersion: "v1", kind: "Pod", plural: "pods" };
    this.podsOfJobs = watch({ ...ofJobs, ...pod, keysOf: makersOf }, labelOf);
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
    return this.childWatches().flatMap(({ objects }) => objects.having(uid));
  }

  /** Those of its own jobs: a label may be anybody's, or of an earlier job of this name. */
  pods(job: ObservedJob): ObservedObject[] {
    const makers = this.children(job).filter(isAgents);
    return makers.flatMap(({ metadata: { uid } }) => this.podsOfJobs.objects.having(uid));
  }

  warnings(job: ObservedJob): string[] {
    const about = podsJobNames(job).flatMap((name) => this.warningsOfJobs.objects.having(name));
    if (about.length === 0) return [];
    return messagesOf(about, this.children(job).find(isAgents), Date.now());
  }

  private watches(): ListWatch[] {
    return [this.jobs, ...this.childWatches(), this.podsOfJobs];
  }

  private childWatches(): ListWatch[] {
    return this.jobSets === undefined ? this.kinds : [...this.kinds, this.jobSets];
  }
}

/** The job of Kubernetes that made a pod, and the JobSet that made that job. */
function makersOf({ metadata }: ObservedObject): string[] {
  const jobSet = metadata.labels?.[JOB_SET_UID];
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return [owner?.uid, jobSet].filter((uid) => uid !== undefined);
}

function isRefused(error: unknown): boolean {
  const { code, statusCode = code } = error as { code?: unknown; statusCode?: unknown };
  return statusCode === 403 || statusCode === 404;
}
