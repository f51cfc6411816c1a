import type { Json, JsonObject } from "../json.ts";
import { apiVersionOf, type Resource } from "../resources.ts";

/** The version that is played. */
export const VERSION = {
  major: "1",
  minor: "34",
  gitVersion: "v1.34.0",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "linux/amd64",
};

/** Answers below /api and /apis that name no resource; undefined where it is none of them. */
export function discovery(path: string, resources: readonly Resource[]): JsonObject | undefined {
  const parts = path.split("/").filter(Boolean);
  if (path === "/version") return VERSION;
  if (parts[0] === "api" && parts.length === 1) {
    return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
  }
  if (parts[0] === "api" && parts.length === 2 && parts[1] === "v1") {
    return resourceList("v1", ofVersion(resources, "v1"));
  }
  if (parts[0] !== "apis") return undefined;
  const groups = [...new Set(resources.map(({ group }) => group))].filter(Boolean);
  if (parts.length === 1) {
    return {
      kind: "APIGroupList",
      apiVersion: "v1",
      groups: groups.map((group) => groupOf(group, resources)),
    };
  }
  const [, group = "", version] = parts;
  if (!groups.includes(group) || parts.length > 3) return undefined;
  if (version === undefined) return groupOf(group, resources);
  const found = ofVersion(resources, `${group}/${version}`);
  return found.length > 0 ? resourceList(`${group}/${version}`, found) : undefined;
}

function ofVersion(resources: readonly Resource[], apiVersion: string): Resource[] {
  return resources.filter((resource) => apiVersionOf(resource) === apiVersion);
}

function groupOf(name: string, resources: readonly Resource[]): JsonObject {
  const all = resources.filter(({ group }) => group === name).map(({ version }) => version);
  const versions = [...new Set(all)].map((version) => ({
    groupVersion: `${name}/${version}`,
    version,
  }));
  const preferredVersion = versions[0] ?? {};
  return { kind: "APIGroup", apiVersion: "v1", name, versions, preferredVersion };
}

function resourceList(groupVersion: string, resources: readonly Resource[]): JsonObject {
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion,
    resources: resources.flatMap(entriesOf),
  };
}

function entriesOf(resource: Resource): Json[] {
  const { plural, kind, namespaced, singular, verbs } = resource;
  const names = { shortNames: [...resource.shortNames], categories: [...resource.categories] };
  const entry = (subresource: string, fields: JsonObject): Json => ({
    ...{ name: `${plural}/${subresource}`, singularName: "", namespaced, kind },
    ...fields,
  });
  const whole = { name: plural, singularName: singular, namespaced, kind, verbs: [...verbs] };
  const write = ["get", "patch", "update"];
  const create = { verbs: ["create"] };
  const found: Json[] = [{ ...whole, ...names }];
  if (resource.hasStatus) found.push(entry("status", { verbs: write }));
  if (resource.scale) {
    const scale = { group: "autoscaling", version: "v1", kind: "Scale", verbs: write };
    found.push(entry("scale", scale));
  }
  if (plural === "pods" && resource.group === "") {
    found.push(entry("log", { verbs: ["get"] }));
    found.push(entry("eviction", { ...create, group: "policy", version: "v1", kind: "Eviction" }));
  }
  if (plural === "serviceaccounts") {
    const token = { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" };
    found.push(entry("token", { ...create, ...token }));
  }
  return found;
}
