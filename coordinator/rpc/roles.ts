import { Role as RoleCode } from "../../proto/gen/moestro/v1/join_pb.js";

/** What a certificate's holder may do; `rules.ts` says what that is. */
export type Role = "admin" | "submitter" | "viewer" | "agent";

/** Roles of people. */
export const PERSON_ROLES = ["admin", "submitter", "viewer"] as const;
export const ROLES: readonly Role[] = [...PERSON_ROLES, "agent"];

const CODES: Record<Role, RoleCode> = {
  admin: RoleCode.ADMIN,
  submitter: RoleCode.SUBMITTER,
  viewer: RoleCode.VIEWER,
  agent: RoleCode.AGENT,
};

export function roleCode(role: Role): RoleCode {
  return CODES[role];
}

/** Undefined for a number that stands for no role. */
export function roleOfCode(code: RoleCode): Role | undefined {
  return ROLES.find((role) => CODES[role] === code);
}

export function isRole(text: unknown): text is Role {
  return ROLES.some((role) => role === text);
}

/** What an agent or a person may be called: nothing that a file, a log or a shell could misread. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$/;
export const NAME_RULE = "1 to 100 letters, digits and . _ @ -, the first a letter or a digit";

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** The name on the certificate of a holder of this role. */
export function certificateName(role: Role, id: string): string {
  return `${role === "agent" ? "agent" : "user"}:${id}`;
}
