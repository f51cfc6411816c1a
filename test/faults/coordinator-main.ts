import { serveCommand } from "../../coordinator/cli/serve.ts";
await serveCommand().parseAsync(process.argv.slice(3), { from: "user" });
