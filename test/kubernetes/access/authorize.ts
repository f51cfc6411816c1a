import { forbidden } from "../api-error.ts";
import type { Call } from "../http/call.ts";
import { isAllowed } from "./rbac.ts";

/** Throws a 403 where the roles do not allow a call. */
export function authorize({ cluster, route, verb, resource, user }: Call): void {
  const { group, namespace, name, plural, subresource: below } = route;
  const wished = below === undefined ? plural : `${plural}/${below}`;
  if (isAllowed(cluster, user, { verb, group, resource: wished, namespace, name })) return;
  const where =
    namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  throw forbidden(
    { group, plural, kind: resource.kind, name: name ?? "" },
    `User "${user.username}" cannot ${verb} resource "${wished}" in API group "${group}" ${where}`,
  );
}
