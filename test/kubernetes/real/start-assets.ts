import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issue } from "../../../coordinator/rpc/certificates.ts";
import { until } from "../../faults/patience.ts";
import { freePorts } from "../../free-ports.ts";
import { bearer, clusterAt, kubeconfigText } from "../kubeconfig.ts";
import { send } from "../send.ts";
import { Program } from "./program.ts";

export type StartedServer = { kubeconfig: string; close(): Promise<void> };

/**
 * Starts etcd and kube-apiserver on loopback ports, as envtest does: no controllers, no nodes,
 * no service accounts by themselves; roles decide. Whoever has the kubeconfig is a cluster admin.
 *
 * @param binaries folder of both
 */
export async function startAssets(binaries: string): Promise<StartedServer> {
  const directory = mkdtempSync(join(tmpdir(), "moestro-apiserver-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const running: Program[] = [];
  const close = async (): Promise<void> => {
    for (const program of running.reverse()) await program.end();
    rmSync(directory, { recursive: true, force: true });
  };
  const [etcdPort, port] = await freePorts(2);
  const [etcdUrl, url] = [`http://127.0.0.1:${etcdPort}`, `https://127.0.0.1:${port}`];
  const token = randomBytes(16).toString("hex");
  const authority = await createAuthority(new Date());
  const server = { name: "kubernetes", hosts: ["127.0.0.1", "localhost"] };
  const identity = await issue(authority, server, new Date());
  const accounts = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  try {
    running.push(
      new Program(join(binaries, "etcd"), {
        "data-dir": join(directory, "etcd"),
        "listen-client-urls": etcdUrl,
        "advertise-client-urls": etcdUrl,
        "listen-peer-urls": "http://127.0.0.1:0",
        "unsafe-no-fsync": "true",
      }),
      new Program(join(binaries, "kube-apiserver"), {
        "etcd-servers": etcdUrl,
        ...{ "bind-address": "127.0.0.1", "advertise-address": "127.0.0.1" },
        ...{ "secure-port": String(port), "cert-dir": directory },
        "tls-cert-file": file("server.crt", identity.certificate),
        "tls-private-key-file": file("server.key", identity.key),
        "token-auth-file": file("tokens.csv", `${token},admin,admin,"system:masters"\n`),
        "authorization-mode": "RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": file("accounts.pub", accounts.publicKey),
        "service-account-signing-key-file": file("accounts.key", accounts.privateKey),
        "service-cluster-ip-range": "10.96.0.0/16",
        "allow-privileged": "true",
        // It would wait for accounts that only a controller makes.
        "disable-admission-plugins": "ServiceAccount",
      }),
    );
    const access = { ca: authority.certificate, headers: { authorization: `Bearer ${token}` } };
    await until("an API server that is ready", async () => {
      for (const program of running) program.check();
      const reply = await send(`${url}/readyz`, "GET", access).catch(() => undefined);
      return reply?.code === 200;
    });
  } catch (error) {
    await close();
    throw error;
  }
  const text = kubeconfigText(clusterAt(url, authority.certificate), bearer(token), "default");
  return { kubeconfig: file("kubeconfig.json", text), close };
}

/** Two that nobody listens on. */
