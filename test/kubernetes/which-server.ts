/** Which API server the tests of Kubernetes run against. */
export type Server =
  /** The stand-in of this folder. */
  | { kind: "played" }
  /** One that is started here, without controllers: a folder with kube-apiserver and etcd. */
  | { kind: "started"; binaries: string }
  /** One of a whole cluster that is there. */
  | { kind: "given"; kubeconfig: string };

type Environment = { [name: string]: string | undefined };

/** As the environment says, by the convention of envtest or by a variable of our own. */
export function whichServer(environment: Environment = process.env): Server {
  const { MOESTRO_TEST_KUBECONFIG: kubeconfig, KUBEBUILDER_ASSETS: binaries } = environment;
  if (kubeconfig) return { kind: "given", kubeconfig };
  return binaries ? { kind: "started", binaries } : { kind: "played" };
}

/**
 * For `skip`: why a test runs against the stand-in alone.
 *
 * @param what it takes, such as "makes requests fail"
 */
export function whyNotReal(what: string): string | false {
  return whichServer().kind === "played" ? false : `${what}, which only the stand-in does`;
}

/**
 * For `skip`: why a test does not run where an API server is all there is.
 *
 * @param what it waits for, such as "namespaces that empty themselves"
 */
export function whyNoControllers(what: string): string | false {
  return whichServer().kind === "started"
    ? `takes ${what}: there are no controllers beside KUBEBUILDER_ASSETS' API server`
    : false;
}
