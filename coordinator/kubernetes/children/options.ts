/** What children need to know of the installation; the defaults are those of k8s/base. */
export interface ChildrenOptions {
  /** Images of the agents, by what ranks compute on. */
  images: { cpu: string; cuda: string };
  /** host:port of every coordinator there may be, as pods reach them. */
  coordinators: readonly string[];
  /** Where the coordinators' pods are, for the network policy. */
  coordinatorNamespace: string;
  /** Ports of the coordinators: agents, and holders of a token who join. */
  coordinatorPorts: readonly number[];
  /** The claim, in the job's namespace, of the folder that coordinators and nodes share. */
  runsClaim: string;
  /** Where it is mounted: the path that coordinators know it by. */
  runsPath: string;
}

export const CHILDREN_OPTIONS: ChildrenOptions = {
  images: { cpu: "moestro/worker-cpu:0.1.0", cuda: "moestro/worker-cuda:0.1.0" },
  coordinators: ["moestro.moestro.svc:7070"],
  coordinatorNamespace: "moestro",
  coordinatorPorts: [7070, 7071],
  runsClaim: "moestro-runs",
  runsPath: "/runs",
};

/** What is known of a job beside its spec. */
export interface JobFacts {
  /** The plan, as people may read it: JSON. */
  plan: string;
  /** Nodes it is to have now; `nodes.max` if nothing took some away. */
  nodes?: number | undefined;
  /** Nodes that its run has now; `nodes` if that is not known. */
  nodesOfRun?: number | undefined;
  /** Its pods' job exists: where a queue admits it, `suspend` is the queue's from then on. */
  isBorn: boolean;
}
