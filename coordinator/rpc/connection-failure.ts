/** What grpc-js says of a connection that did not come about, around the cause. */
const WRAPPED =
  /^No connection established\. Last error: (?:Error: )?(?<cause>.*?)(?: \(\d{4}-[-\d:.TZ]+\))?\. Resolution note: .*$/s;

/** In one sentence for a person; undefined if the connection stood and something else failed. */
export function connectionFailure(details: string): string | undefined {
  if (details.startsWith("Name resolution failed")) {
    return "there is no host of this name; check the address";
  }
  const cause = WRAPPED.exec(details)?.groups?.cause?.trim();
  if (cause === undefined) return undefined;
  // Under TLS 1.3 a server refuses a client's certificate after the handshake is over.
  const alert = /alert (?<alert>[a-z ]+):/.exec(cause)?.groups?.alert;
  if (alert !== undefined || /^Failed to connect$|ECONNRESET|EPIPE/.test(cause)) {
    return `it hung up${alert ? ` (${alert})` : ""}, as on a certificate that has expired or is of another authority; join or log in again`;
  }
  if (/certificate/.test(cause)) {
    return `it is not a coordinator of the authority that was joined (${oneLine(cause)}); check the address, or join it with a token of its own`;
  }
  return `no coordinator answers there (${oneLine(cause)}); check the address and that it runs`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
