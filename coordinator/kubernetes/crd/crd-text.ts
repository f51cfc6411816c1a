import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { customResourceDefinition } from "./custom-resource-definition.ts";

/** Where the CRD lies, and what writes it there. */
export const CRD_PATH = fileURLToPath(new URL("../../../k8s/base/crd.yaml", import.meta.url));
export const CRD_COMMAND = "node_modules/.bin/node scripts/generate-crd.ts";

/** The CRD as the file it is installed from. */
export function crdText(): string {
  const head = `# Made from the job's schema (coordinator/spec/schema.ts); to renew it: ${CRD_COMMAND}\n`;
  // Aliases would be legal YAML, but are hard to read and diff.
  return (
    head + stringify(customResourceDefinition(), { aliasDuplicateObjects: false, lineWidth: 0 })
  );
}
