import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { MoestroError } from "../errors.ts";
import { ALGORITHM, exportKey } from "./certificates.ts";

/** A request for a P-256 key has some 250 bytes. */
const MAX_REQUEST_BYTES = 4096;

/** A new key, PEM, and the request for a certificate of it, PKCS #10 in DER. */
export type CertificateRequest = { request: Uint8Array; key: string };

/** Makes a key that never leaves its holder, and asks for a certificate in `name`. */
export async function createCertificateRequest(name: string): Promise<CertificateRequest> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return { request: new Uint8Array(request.rawData), key: await exportKey(keys.privateKey) };
}

/**
 * The name and the key of a request that proves to have the private key. Whatever else it
 * asks for is passed over. Throws MoestroError("invalid_input").
 */
export async function readCertificateRequest(
  der: Uint8Array,
): Promise<{ name: string | undefined; publicKey: webcrypto.CryptoKey }> {
  if (der.length > MAX_REQUEST_BYTES) throw refused(`has more than ${MAX_REQUEST_BYTES} bytes`);
  let request: Pkcs10CertificateRequest;
  let publicKey: webcrypto.CryptoKey;
  try {
    request = new Pkcs10CertificateRequest(der);
    const { algorithm } = request.publicKey;
    if (!("namedCurve" in algorithm && algorithm.namedCurve === ALGORITHM.namedCurve)) {
      throw refused("is for another kind of key");
    }
    publicKey = await request.publicKey.export(ALGORITHM, ["verify"]);
    if (!(await request.verify())) throw refused("is not signed with its own key");
  } catch (error) {
    if (error instanceof MoestroError) throw error;
    throw refused("cannot be read");
  }
  return { name: request.subjectName.getField("CN").at(0), publicKey };
}

function refused(why: string): MoestroError {
  return new MoestroError(
    "invalid_input",
    `certificate request: ${why}; a PKCS #10 request for a P-256 key is needed`,
  );
}
