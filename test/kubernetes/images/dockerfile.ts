export type Instruction = { name: string; args: string };

/** What is between two FROMs. */
export type Stage = { base: string; name: string; instructions: Instruction[] };

/** The stages of a Dockerfile, in its order; of the syntax, what ours use. */
export function readDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const { name, args } of instructionsOf(text)) {
    if (name === "FROM") {
      const [base = "", , stage = ""] = args.split(/\s+/);
      stages.push({ base, name: stage, instructions: [] });
    } else stages.at(-1)?.instructions.push({ name, args });
  }
  return stages;
}

/** The instructions that make an image: those of the stage, behind those it builds on. */
export function instructionsFor(stages: readonly Stage[], target: Stage): Instruction[] {
  const base = stages.find(({ name }) => name === target.base);
  return [...(base ? instructionsFor(stages, base) : []), ...target.instructions];
}

/** The variables that an image sets. */
export function environmentOf(instructions: readonly Instruction[]): { [name: string]: string } {
  const pairs = instructions
    .filter(({ name }) => name === "ENV")
    .flatMap(({ args }) => args.split(/\s+/))
    .map((pair) => pair.split("=", 2));
  return Object.fromEntries(pairs);
}

/** Where a COPY takes from, and where to; a stage in `from`, else the build's context. */
export function readCopy(args: string): { from: string; sources: string[]; target: string } {
  const words = args.split(/\s+/);
  const from = /^--from=(.*)$/.exec(words[0] ?? "")?.[1];
  const paths = from === undefined ? words : words.slice(1);
  return { from: from ?? "", sources: paths.slice(0, -1), target: paths.at(-1) ?? "" };
}

function instructionsOf(text: string): Instruction[] {
  const lines = text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .join("\n")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return lines.map((line) => {
    const [, name = "", args = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    return { name, args: args.trim() };
  });
}
