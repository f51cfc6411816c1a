// The stand-in in a process of its own, until it is ended:
//   node test/kubernetes/serve.ts
//   MOESTRO_TEST_KUBECONFIG=… node --test test/kubernetes/api.test.ts
// Prints the path of its kubeconfig.
import { startCluster } from "./start.ts";

const kube = await startCluster();
console.log(kube.kubeconfig);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void kube.close());
