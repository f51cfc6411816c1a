import { ALL_VERBS, type Column, type Resource, type ScalePaths } from "./resources.ts";
import { DEFINITIONS } from "./schema/definitions.ts";

const REPLICAS: ScalePaths = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
};
const AGE: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

function column(name: string, jsonPath: string, type = "string", priority = 0): Column {
  return { name, jsonPath, type, priority };
}

type Options = {
  short?: string[];
  cluster?: boolean;
  noStatus?: boolean;
  scale?: ScalePaths;
  columns?: Column[];
  createOnly?: boolean;
  categories?: string[];
};

function builtIn(definition: string, plural: string, options: Options = {}): Resource {
  const schema = DEFINITIONS.get(definition);
  const gvk = schema?.["x-kubernetes-group-version-kind"]?.[0];
  if (schema === undefined || gvk === undefined) throw new Error(`no definition ${definition}`);
  const columns = options.columns ?? [];
  return {
    ...gvk,
    plural,
    singular: gvk.kind.toLowerCase(),
    shortNames: options.short ?? [],
    categories: options.categories ?? [],
    namespaced: options.cluster !== true,
    verbs: options.createOnly ? ["create"] : ALL_VERBS,
    hasStatus: options.noStatus !== true && schema.properties?.status !== undefined,
    scale: options.scale,
    columns: columns.some(({ name }) => name === "Age") ? columns : [...columns, AGE],
    schema,
    custom: false,
  };
}

const CORE = "io.k8s.api.core.v1.";
const RBAC = "io.k8s.api.rbac.v1.";
const AUTHORIZATION = "io.k8s.api.authorization.v1.";
const ALL = ["all"];

/** The kinds that are there without any CRD. */
export const BUILT_IN: readonly Resource[] = [
  builtIn(`${CORE}Namespace`, "namespaces", {
    short: ["ns"],
    cluster: true,
    columns: [column("Status", ".status.phase")],
  }),
  builtIn(`${CORE}Node`, "nodes", { short: ["no"], cluster: true }),
  builtIn(`${CORE}Pod`, "pods", {
    short: ["po"],
    categories: ALL,
    columns: [
      column("Ready", ".status.ready"),
      column("Status", ".status.phase"),
      column("Restarts", ".status.restarts"),
      AGE,
      column("IP", ".status.podIP", "string", 1),
      column("Node", ".spec.nodeName", "string", 1),
    ],
  }),
  builtIn(`${CORE}Service`, "services", {
    short: ["svc"],
    categories: ALL,
    columns: [column("Type", ".spec.type"), column("Cluster-IP", ".spec.clusterIP")],
  }),
  builtIn(`${CORE}ConfigMap`, "configmaps", { short: ["cm"] }),
  builtIn(`${CORE}Secret`, "secrets", { columns: [column("Type", ".type")] }),
  builtIn(`${CORE}ServiceAccount`, "serviceaccounts", { short: ["sa"] }),
  builtIn(`${CORE}PersistentVolumeClaim`, "persistentvolumeclaims", { short: ["pvc"] }),
  builtIn(`${CORE}ResourceQuota`, "resourcequotas", { short: ["quota"] }),
  builtIn(`${CORE}Event`, "events", {
    short: ["ev"],
    columns: [
      column("Last Seen", ".lastTimestamp", "date"),
      column("Type", ".type"),
      column("Reason", ".reason"),
      column("Object", ".involvedObject.name"),
      column("Message", ".message"),
    ],
  }),
  builtIn("io.k8s.api.apps.v1.Deployment", "deployments", {
    short: ["deploy"],
    categories: ALL,
    scale: { ...REPLICAS, labelSelectorPath: ".spec.selector" },
    columns: [column("Ready", ".status.readyReplicas", "integer")],
  }),
  builtIn("io.k8s.api.apps.v1.StatefulSet", "statefulsets", {
    short: ["sts"],
    categories: ALL,
    scale: { ...REPLICAS, labelSelectorPath: ".spec.selector" },
    columns: [column("Ready", ".status.readyReplicas", "integer")],
  }),
  builtIn("io.k8s.api.batch.v1.Job", "jobs", {
    categories: ALL,
    columns: [column("Status", ".status.conditions"), column("Completions", ".spec.completions")],
  }),
  builtIn("io.k8s.api.coordination.v1.Lease", "leases", {
    columns: [column("Holder", ".spec.holderIdentity")],
  }),
  builtIn("io.k8s.api.networking.v1.NetworkPolicy", "networkpolicies", { short: ["netpol"] }),
  builtIn("io.k8s.api.policy.v1.PodDisruptionBudget", "poddisruptionbudgets", {
    short: ["pdb"],
  }),
  builtIn(`${RBAC}Role`, "roles"),
  builtIn(`${RBAC}RoleBinding`, "rolebindings"),
  builtIn(`${RBAC}ClusterRole`, "clusterroles", { cluster: true }),
  builtIn(`${RBAC}ClusterRoleBinding`, "clusterrolebindings", { cluster: true }),
  builtIn("io.k8s.api.scheduling.v1.PriorityClass", "priorityclasses", {
    short: ["pc"],
    cluster: true,
  }),
  builtIn(
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    "customresourcedefinitions",
    { short: ["crd", "crds"], cluster: true, categories: ["api-extensions"] },
  ),
  builtIn("io.k8s.api.authentication.v1.TokenReview", "tokenreviews", {
    cluster: true,
    createOnly: true,
  }),
  builtIn(`${AUTHORIZATION}SubjectAccessReview`, "subjectaccessreviews", {
    cluster: true,
    createOnly: true,
  }),
  builtIn(`${AUTHORIZATION}SelfSubjectAccessReview`, "selfsubjectaccessreviews", {
    cluster: true,
    createOnly: true,
  }),
  builtIn(`${AUTHORIZATION}LocalSubjectAccessReview`, "localsubjectaccessreviews", {
    createOnly: true,
  }),
];
