// Writes the CustomResourceDefinition from the job's schema.
import { writeFileSync } from "node:fs";
import { CRD_PATH, crdText } from "../coordinator/kubernetes/crd/crd-text.ts";

writeFileSync(CRD_PATH, crdText());
console.log(CRD_PATH);
