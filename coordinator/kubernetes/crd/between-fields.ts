import type { CelRule } from "./structural.ts";

/**
 * Rules between fields of a section, for the API server to refuse at once what the job's own
 * rules would refuse a moment later. Only fields that are written are compared: a preset or a
 * config file may give the others.
 */
export const BETWEEN_FIELDS: Readonly<Record<string, readonly CelRule[]>> = {
  model: [
    {
      rule: "[has(self.preset), has(self.config), has(self.weights)].filter(given, given).size() <= 1",
      message: "must have at most one of preset, config or weights",
    },
    {
      rule: whereGiven(["kvHeads", "heads"], "self.heads % self.kvHeads == 0", "latentAttention"),
      message: "must divide heads",
      fieldPath: ".kvHeads",
    },
  ],
  training: [
    {
      rule: whereGiven(["warmupSteps"], "self.warmupSteps <= self.steps"),
      message: "must be at most steps",
      fieldPath: ".warmupSteps",
    },
    {
      rule: whereGiven(["microBatchSize"], "self.globalBatchSize % self.microBatchSize == 0"),
      message: "must divide globalBatchSize",
      fieldPath: ".microBatchSize",
    },
  ],
  moe: [
    {
      rule: whereGiven(["topK", "experts"], "self.experts == 0 || self.topK <= self.experts"),
      message: "must be at most experts",
      fieldPath: ".topK",
    },
  ],
};

/** @param but a field beside which the rule does not count */
function whereGiven(fields: readonly string[], rule: string, but?: string): string {
  const absent = fields.map((field) => `!has(self.${field}) || `).join("");
  return `${absent}${but === undefined ? "" : `has(self.${but}) || `}${rule}`;
}
