/** The part of Kubernetes' structural schemas (apiextensions.k8s.io/v1) that the CRD uses. */
export interface StructuralSchema {
  type: "object" | "array" | "string" | "integer" | "boolean";
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: "int32" | "int64" | "date-time";
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  items?: StructuralSchema;
  properties?: Record<string, StructuralSchema>;
  required?: string[];
  "x-kubernetes-list-type"?: "atomic" | "map" | "set";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-preserve-unknown-fields"?: true;
  "x-kubernetes-validations"?: CelRule[];
}

/** A rule in the Common Expression Language that the API server checks. */
export interface CelRule {
  rule: string;
  message: string;
  /** Where the fault is, below the schema that has the rule: `.max`. */
  fieldPath?: string;
}
