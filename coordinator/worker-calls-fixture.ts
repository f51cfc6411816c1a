import { MoestroError } from "./errors.ts";
import { answerCalls } from "./worker-calls.ts";

answerCalls((question: string): string | Promise<string> => {
  if (question === "hang") return new Promise(() => {});
  if (question === "exit") process.exit(3);
  if (question === "refuse") throw new MoestroError("no_plan", ["one", "two"]);
  if (question === "throw") throw new Error("broken");
  return `${question}!`;
});
