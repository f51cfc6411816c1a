import type { StructuralSchema } from "./structural.ts";

/** Everything a MoETrainingJob may be, each true, false or unknown by itself. */
export const CONDITION_TYPES = [
  ...["Planned", "Admitted", "Running", "Recovering"],
  ...["Suspended", "Succeeded", "Failed"],
] as const;

/** Of a condition. */
export const MAX_MESSAGE_LENGTH = 32_768;

const text = (description: string, maxLength = 256): StructuralSchema => ({
  ...{ type: "string", maxLength, description },
});

const count = (description: string): StructuralSchema => ({
  ...{ type: "integer", format: "int64", minimum: 0, description },
});

const conditions: StructuralSchema = {
  type: "array",
  description: "What is true of the job, and why. kubectl wait --for=condition=Succeeded.",
  maxItems: 16,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
  items: {
    type: "object",
    description: "One thing that is true of the job, is not, or is not known.",
    required: ["type", "status", "lastTransitionTime", "reason", "message"],
    properties: {
      type: { type: "string", description: "Which.", enum: [...CONDITION_TYPES] },
      status: { type: "string", description: "Whether.", enum: ["True", "False", "Unknown"] },
      reason: {
        ...text("Why, in one word for programs.", 1024),
        ...{ minLength: 1, pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" },
      },
      message: text("Why, in one sentence for people.", MAX_MESSAGE_LENGTH),
      lastTransitionTime: {
        ...{ type: "string", format: "date-time", description: "Since when." },
      },
      observedGeneration: count("The metadata.generation that this was said of."),
    },
  },
};

const summary: StructuralSchema = {
  type: "object",
  description: "How the training does, refreshed every ten seconds at most.",
  properties: {
    state: text(
      "The run's state as moestro status names it, for people; programs read conditions.",
    ),
    step: count("Steps that are made."),
    totalSteps: count("Steps of the whole run."),
    etaSeconds: count("Seconds to the last step, at the speed of the latest ones."),
    loss: text("Loss of the latest step."),
    dropRate: text("Share of the latest step's assignments that found no room, over all layers."),
    layout: text("Layout of the ranks: tp 2, pp 2, dp 1, ep 2."),
    mfu: text("Model FLOPs utilisation in per cent."),
  },
};

/** `status` of a MoETrainingJob. Nothing in it is kept per rank. */
export function statusSchema(): StructuralSchema {
  return {
    type: "object",
    description: "What became of the job, written by the operator alone.",
    properties: {
      conditions,
      observedGeneration: count("The metadata.generation that was last acted on."),
      executionAttempt: count("How often its pods were admitted and started."),
      restarts: count("Starts of its ranks after the first, for whatever reason."),
      restartsCounted: count("Those that count against maxRestarts."),
      nodes: count("Nodes whose agents are there."),
      selector: text("Selects its pods, for the scale subresource.", 1024),
      summary,
    },
  };
}
