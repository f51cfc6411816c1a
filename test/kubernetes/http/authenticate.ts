import type { IncomingMessage } from "node:http";
import { ADMIN, ANONYMOUS, type Tokens, type User } from "../access/tokens.ts";
import { ApiError } from "../api-error.ts";

/** Who asks: the admin by the token of the kubeconfig, a service account by its own. Throws a 401. */
export function authenticate(request: IncomingMessage, tokens: Tokens, adminToken: string): User {
  const [scheme, token = ""] = (request.headers.authorization ?? "").split(" ");
  if (scheme === "") return ANONYMOUS;
  const user = token === adminToken ? ADMIN : reviewed(tokens, token);
  const asked = request.headers["impersonate-user"];
  if (typeof asked !== "string" || user !== ADMIN) return user;
  const groups = request.headers["impersonate-group"];
  const given = groups === undefined ? [] : [groups].flat();
  return { username: asked, uid: "", groups: [...given, "system:authenticated"], extra: {} };
}

function reviewed(tokens: Tokens, token: string): User {
  const found = tokens.review(token);
  if ("error" in found) throw new ApiError(401, "Unauthorized", "Unauthorized");
  return found.user;
}
