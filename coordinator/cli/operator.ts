import { hostname } from "node:os";
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { CHILDREN_OPTIONS, type ChildrenOptions } from "../kubernetes/children/options.ts";
import { isNamespace, NAMESPACE_RULE } from "../kubernetes/names.ts";
import { joinAddress, splitAddress } from "../rpc/address.ts";
import { addServiceOptions, runService, type ServiceOptions } from "./service-options.ts";

type OperatorOptions = ServiceOptions & {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  serviceAccount?: string;
  cpuImage: string;
  cudaImage: string;
  coordinators: string[];
  coordinatorNamespace?: string;
  runsClaim: string;
};

const { images, coordinators, runsClaim } = CHILDREN_OPTIONS;

export function operatorCommand(): Command {
  const command = new Command("operator")
    .description("run a coordinator that carries out MoETrainingJobs of a Kubernetes cluster")
    .option("--namespace <name>", "whose MoETrainingJobs (default: the pod's own)", parseNamespace)
    .option("--kubeconfig <file>", "how to reach the API server (default: the pod's account)")
    .option("--context <name>", "context of the kubeconfig (default: its current one)")
    .option("--service-account <folder>", "where the pod's token is (default: where pods have it)")
    .option("--cpu-image <image>", "image of agents whose ranks compute on CPUs", images.cpu)
    .option("--cuda-image <image>", "image of agents with GPUs", images.cuda)
    .option(
      "--coordinators <host:port,...>",
      "every coordinator there may be, as pods reach them",
      parseCoordinators,
      [...coordinators],
    )
    .option(
      "--coordinator-namespace <name>",
      "where the coordinators' pods are (default: the same as --namespace)",
      parseNamespace,
    )
    .option(
      "--runs-claim <name>",
      "claim of the folder that coordinators and nodes share",
      runsClaim,
    );
  return addServiceOptions(command).action(operate);
}

async function operate(options: OperatorOptions): Promise<void> {
  // The client takes longer to load than most commands take.
  const { kubeAccess } = await import("../kubernetes/kube-access.ts");
  const { podIdentities } = await import("../kubernetes/trust/pod-identities.ts");
  const { Operator } = await import("../operator/operator.ts");
  const { PodWatch } = await import("../operator/pod-watch.ts");
  const { config, namespace } = kubeAccess(options);
  await runService(options, (log) => {
    const pods = new PodWatch(config, namespace, (why, retryMs) =>
      log.warn(`the watch of agents' pods: ${why}; again in ${(retryMs / 1000).toFixed(1)} s`),
    );
    return {
      options: { pods: podIdentities(config, namespace), whyGone: (agent) => pods.whyGone(agent) },
      begin(coordinator) {
        const operator = new Operator({
          ...{ config, namespace, log, runsDirectory: resolve(options.runsDir) },
          // A pod's name, which is its host's, may come again as another process.
          self: `${hostname()}_${process.pid}_${Date.now().toString(36)}`,
          installation: installationOf(options, namespace),
          runs: coordinator.runs,
          authority: coordinator.authority,
        });
        const watching = pods.run();
        coordinator.metrics.observeOperator(() => operator.state);
        return async () => {
          pods.close();
          await Promise.all([operator.close(), watching]);
        };
      },
    };
  });
}

function installationOf(options: OperatorOptions, namespace: string): ChildrenOptions {
  const ports = options.coordinators.flatMap((address) => [
    splitAddress(address).port,
    splitAddress(joinAddress(address)).port,
  ]);
  return {
    images: { cpu: options.cpuImage, cuda: options.cudaImage },
    coordinators: options.coordinators,
    coordinatorNamespace: options.coordinatorNamespace ?? namespace,
    coordinatorPorts: [...new Set(ports)],
    runsClaim: options.runsClaim,
    runsPath: resolve(options.runsDir),
  };
}

function parseNamespace(text: string): string {
  if (isNamespace(text)) return text;
  throw new InvalidArgumentError(NAMESPACE_RULE);
}

function parseCoordinators(text: string): string[] {
  const addresses = text.split(",").filter((one) => one !== "");
  try {
    for (const one of addresses) splitAddress(one);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  if (addresses.length > 0) return addresses;
  throw new InvalidArgumentError("give host:port, or several with commas between");
}
