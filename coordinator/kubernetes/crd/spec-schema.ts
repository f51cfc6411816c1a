import { jobJsonSchema } from "../../spec/json-schema.ts";
import { BETWEEN_FIELDS } from "./between-fields.ts";
import { jobSections } from "./job-sections.ts";
import { kubernetesJsonSchema } from "./kubernetes-section.ts";
import { immutableRules } from "./rules.ts";
import type { CelRule, StructuralSchema } from "./structural.ts";
import { structuralOf } from "./structural-of.ts";
import { templateSchema } from "./template-schema.ts";

/** Sections whose values a preset or a config file may give; the API server writes none. */
const FROM_PRESET: readonly string[] = ["model", "moe", "layout"];

/** What no run can be given while it runs, and none can go on with. */
const IMMUTABLE = [
  ...["model", "data", "training", "moe", "controller", "layout", "cluster", "checkpoint"],
  ...["gpusPerNode", "priorityClassName", "managedBy", "childKind"],
];

/** `spec` of a MoETrainingJob. */
export function specSchema(): StructuralSchema {
  const sections = jobSections();
  const own = kubernetesJsonSchema();
  const required = [...(jobJsonSchema().required ?? []), ...(own.required ?? [])].filter(
    (key) => key !== "name",
  );
  return {
    type: "object",
    description: "The job file's sections, and how the job lies in the cluster.",
    required,
    "x-kubernetes-validations": [
      ...immutableRules(IMMUTABLE, new Set([...required, "childKind"])),
      QUEUE_RULE,
    ],
    properties: {
      ...Object.fromEntries(
        Object.entries(sections).map(([name, schema]) => {
          const isOpen = FROM_PRESET.includes(name);
          const structural = withRules(structuralOf(schema, !isOpen), BETWEEN_FIELDS[name]);
          // An empty section is one of defaults, which are then there to be read.
          return [
            name,
            isOpen || required.includes(name) ? structural : { ...structural, default: {} },
          ];
        }),
      ),
      ...ownProperties(),
    },
  };
}

function ownProperties(): Record<string, StructuralSchema> {
  const { properties = {} } = structuralOf(kubernetesJsonSchema(), true);
  const { nodes, template } = properties;
  if (nodes) {
    nodes.default = {};
    nodes["x-kubernetes-validations"] = [NODES_RULE];
  }
  return { ...properties, template: templateSchema(template?.description ?? "") };
}

function withRules(schema: StructuralSchema, rules: readonly CelRule[] = []): StructuralSchema {
  const all = [...(schema["x-kubernetes-validations"] ?? []), ...rules];
  return all.length === 0 ? schema : { ...schema, "x-kubernetes-validations": all };
}

const NODES_RULE: CelRule = {
  rule: "!has(self.min) || self.min <= self.max",
  message: "min must not be above max",
};

const QUEUE_RULE: CelRule = {
  rule: "oldSelf.suspend || (has(self.queueName) == has(oldSelf.queueName) && (!has(self.queueName) || self.queueName == oldSelf.queueName))",
  message: "queueName cannot be changed while the job is not suspended; set suspend to true first",
  fieldPath: ".queueName",
};
