import { Command } from "commander";
import { readManifest } from "../../kubernetes/read-manifest.ts";
import type { Action } from "../../operator/reconcile/actions.ts";
import { isAgents } from "../../operator/reconcile/agents.ts";
import type { Observation } from "../../operator/reconcile/observation.ts";
import { CONTROLLER, reconcile } from "../../operator/reconcile/reconcile.ts";
import { planSnapshot } from "../plan/plan-snapshot.ts";
import { ClusterReads } from "./cluster-reads.ts";
import { diffText } from "./diff-text.ts";
import { observe } from "./observe.ts";
import { addRenderOptions, installationWith, type RenderOptions } from "./render.ts";

export type DiffOptions = RenderOptions & { kubeconfig?: string; context?: string };

/** As `diff` and `kubectl diff` have it; mistakes and troubles have greater codes. */
const DIFFERS = 1;

export function diffCommand(): Command {
  return addRenderOptions(
    new Command("diff").description("show what applying a job would change of its children"),
  )
    .option("--kubeconfig <file>", "how to reach the API server (default: as kubectl does)")
    .option("--context <name>", "context of the kubeconfig (default: its current one)")
    .addHelpText(
      "after",
      `\nExit codes: 0 nothing would change, ${DIFFERS} something would, more than ${DIFFERS} an error.`,
    )
    .action(async (path: string, options: DiffOptions) => {
      const { text, notes } = await diff(path, options);
      process.stdout.write(text);
      for (const note of notes) console.error(note);
      if (text !== "" || notes.length > 0) process.exitCode = DIFFERS;
    });
}

/**
 * What the operator would make of the job in a file, were it applied now, beside what there is:
 * unified diffs, and what they cannot show. The API server is asked what it would make of each
 * child; nothing is written.
 */
export async function diff(
  path: string,
  options: DiffOptions = {},
): Promise<{ text: string; notes: string[] }> {
  const { job, file, judge } = await readManifest(path, options);
  const plan = await judge(() => planSnapshot(file));
  const planned = { kind: "planned", spec: job.spec, plan } as const;
  const verdict = { ...planned, jobJson: JSON.stringify(file.job) };
  // The client takes longer to load than most commands take.
  const { kubeAccess } = await import("../../kubernetes/kube-access.ts");
  const { config, namespace } = kubeAccess({ ...options, namespace: job.metadata.namespace });
  const cluster = new ClusterReads(config, namespace);
  const observed = await observe(cluster, job, namespace, verdict);
  const installation = installationWith(options.image, observed.installation);
  const seen = { ...observed, installation };
  const { actions } = reconcile(seen);
  const texts: string[] = [];
  // One by one, so that of several refusals it is always the same that is told.
  for (const action of actions) texts.push(await textOf(action, seen, cluster));
  return { text: texts.join(""), notes: notesOn(seen, actions) };
}

async function textOf(action: Action, seen: Observation, cluster: ClusterReads): Promise<string> {
  if (action.kind !== "applyChild" && action.kind !== "deleteChild") return "";
  const { child } = action;
  const name = "metadata" in child ? child.metadata.name : child.name;
  const live = seen.children.find(
    ({ kind, metadata }) => kind === child.kind && metadata.name === name,
  );
  if (action.kind === "deleteChild") return diffText(live, undefined);
  return diffText(live, await cluster.dryRun(action.child, live !== undefined));
}

/** What will change, but not at once. */
function notesOn(seen: Observation, actions: readonly Action[]): string[] {
  const { managedBy } = seen.job.spec;
  if (managedBy !== undefined && managedBy !== CONTROLLER) return [];
  const agents = seen.children.find(isAgents);
  if (agents === undefined) return [];
  const { kind, metadata } = agents;
  if (actions.some((action) => action.kind === "deleteChild")) {
    return [`${kind} ${metadata.name}: is deleted; another is made when the job is to run`];
  }
  // Were it suspended, it would be deleted to be made anew: its pods would be others.
  const spec = { ...(agents.spec as object), suspend: true };
  const children = seen.children.map((child) => (child === agents ? { ...agents, spec } : child));
  const isHeld = reconcile({ ...seen, children, pods: [] }).actions.some(
    (action) => action.kind === "deleteChild",
  );
  if (!isHeld) return [];
  return [
    `${kind} ${metadata.name}: its pods would be others, and stay as they are while there are some; suspend the job and resume it to have them made anew`,
  ];
}
