import type { User } from "../access/tokens.ts";
import type { Cluster } from "../cluster.ts";
import type { Json } from "../json.ts";
import type { WriteOptions } from "../registry/write.ts";
import type { Resource } from "../resources.ts";
import type { Route } from "./route.ts";

/** One request for a resource, read and let in. */
export type Call = {
  cluster: Cluster;
  route: Route;
  resource: Resource;
  verb: string;
  query: URLSearchParams;
  accept: string;
  contentType: string;
  userAgent: string;
  user: User;
  body: Json | undefined;
};

export type Answer = { code: number; body: Json; warnings?: string[] };

/** What a write's query says. */
export function writeOptions({ query, userAgent }: Call): WriteOptions {
  const validation = query.get("fieldValidation");
  return {
    manager: query.get("fieldManager") ?? (userAgent.split("/")[0] || "unknown"),
    dryRun: query.get("dryRun") === "All",
    fieldValidation: validation === "Strict" || validation === "Ignore" ? validation : "Warn",
  };
}
