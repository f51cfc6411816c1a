import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { MoestroError } from "../errors.ts";
import type { Store, StoredToken } from "../store/store.ts";
import { isName, NAME_RULE, type Role } from "./roles.ts";

export type TokenStore = Pick<Store, "addToken" | "takeToken" | "tokens">;

const MINUTE_MS = 60_000;
export const DEFAULT_TOKEN_LIFETIME_MS = 15 * MINUTE_MS;
export const MAX_TOKEN_LIFETIME_MS = 24 * 60 * MINUTE_MS;
const ID_BYTES = 8;
const SECRET_BYTES = 32;

/** The three parts of a token's text: `<id>.<secret>.<fingerprint of the authority>`. */
export type TokenText = { id: string; secret: string; fingerprint: string };

export type TokenRequest = { role: Role; name: string; createdBy: string; lifetimeMs: number };

/**
 * Stores a new token, of which only the hash is kept, and returns what its holder sends:
 * `<id>.<secret>`. Throws MoestroError("invalid_input").
 */
export async function createToken(
  store: TokenStore,
  { role, name, createdBy, lifetimeMs }: TokenRequest,
  nowMs: number,
): Promise<{ text: string; expiresAtMs: number }> {
  if (name !== "" && !isName(name)) throw invalid(`name ${JSON.stringify(name)}: ${NAME_RULE}`);
  if (name === "" && role !== "agent") {
    // Or its holder could come as somebody else, and own that person's runs.
    throw invalid(`role ${role}: a person's token is good for one name; give it`);
  }
  if (!(lifetimeMs > 0 && lifetimeMs <= MAX_TOKEN_LIFETIME_MS)) {
    throw invalid(`lifetime ${lifetimeMs} ms: choose more than 0 and at most 24 hours`);
  }
  const id = randomBytes(ID_BYTES).toString("hex");
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  const expiresAtMs = nowMs + lifetimeMs;
  const secretHash = hash(secret).toString("hex");
  await dropExpired(store, nowMs);
  await store.addToken({ id, secretHash, role, name, createdBy, createdAtMs: nowMs, expiresAtMs });
  return { text: `${id}.${secret}`, expiresAtMs };
}

/** Tokens that can still be used. */
export async function usableTokens(store: TokenStore, nowMs: number): Promise<StoredToken[]> {
  return (await store.tokens()).filter((token) => token.expiresAtMs > nowMs);
}

/**
 * The token that this text is, if it is good for a certificate in `name`. It is not used up
 * yet: `take` does that, and throws if somebody else was first. One sentence stands for
 * unknown, used, revoked and expired.
 */
export async function findToken(
  store: TokenStore,
  given: { text: string; name: string },
  nowMs: number,
): Promise<{ role: Role; take(): Promise<void> }> {
  const [id = "", secret = ""] = given.text.split(".");
  const found = (await store.tokens()).find((token) => token.id === id);
  const isRight = timingSafeEqual(hash(secret), Buffer.from(found?.secretHash ?? NO_HASH, "hex"));
  if (!found || !isRight || found.expiresAtMs <= nowMs) throw new TokenRefused();
  if (found.name !== "" && found.name !== given.name) {
    throw new TokenRefused(`the token is for ${found.name}, not for ${given.name}`);
  }
  const take = async () => {
    if (!(await store.takeToken(id))) throw new TokenRefused();
  };
  return { role: found.role, take };
}

/** Reads the text of a token as people copy it. Throws MoestroError("invalid_input"). */
export function parseToken(text: string): TokenText {
  const [id, secret, fingerprint, ...rest] = text.trim().split(".");
  if (id && secret && fingerprint?.length === FINGERPRINT_LENGTH && rest.length === 0) {
    return { id, secret, fingerprint };
  }
  throw new MoestroError(
    "invalid_input",
    "--token: this is no whole token, which has three parts with dots between; copy all of what moestro token create printed",
  );
}

/** Of SHA-256 in base64url. */
const FINGERPRINT_LENGTH = 43;
const NO_HASH = "00".repeat(32);
const REFUSED =
  "the token is not good (any more): it is used up, expired, revoked or mistyped; make a new one with: moestro token create";

/** The token gives no certificate. */
export class TokenRefused extends Error {
  constructor(message: string = REFUSED) {
    super(message);
  }
}

async function dropExpired(store: TokenStore, nowMs: number): Promise<void> {
  for (const { id, expiresAtMs } of await store.tokens()) {
    if (expiresAtMs <= nowMs) await store.takeToken(id);
  }
}

function hash(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

function invalid(message: string): MoestroError {
  return new MoestroError("invalid_input", message);
}
