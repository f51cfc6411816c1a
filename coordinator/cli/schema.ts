import { Command } from "commander";
import { jobJsonSchema } from "../spec/json-schema.ts";

export function schemaCommand(): Command {
  return new Command("schema")
    .description("print the JSON Schema of the job file, for editors")
    .action(() => console.log(JSON.stringify(jobJsonSchema(), null, 2)));
}
