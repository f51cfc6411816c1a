import type { Command } from "commander";

/** A word that can be typed, with what it is for. */
export type Word = { text: string; description: string };

/** An option; `choices` are the values it can have, where they are few. */
export type CompletedOption = Word & { takesValue: boolean; choices: readonly string[] };

/** What can be typed behind a command. */
export type Completed = {
  /** The words that lead here: "" for the program, "/token/create". */
  key: string;
  commands: readonly Word[];
  options: readonly CompletedOption[];
  /** Values of its arguments, where they are few. */
  choices: readonly string[];
};

/** The program and all its commands, aliases as commands of their own. */
export function completed(command: Command, key = ""): Completed[] {
  const children = command.commands.flatMap((child) =>
    [child.name(), ...child.aliases()].map((text) => ({ text, child })),
  );
  const here: Completed = {
    key,
    commands: children.map(({ text, child }) => ({ text, description: child.description() })),
    options: [
      ...command.options
        .filter(({ hidden }) => !hidden)
        .flatMap(({ long, description, required, optional, argChoices = [] }) =>
          long
            ? [{ text: long, description, takesValue: required || optional, choices: argChoices }]
            : [],
        ),
      { text: "--help", description: "show what it does", takesValue: false, choices: [] },
    ],
    choices: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
  };
  return [here, ...children.flatMap(({ text, child }) => completed(child, `${key}/${text}`))];
}

/** All options that take a value, by where they stand and how they are written. */
export function valuedOptions(places: readonly Completed[]) {
  return places.flatMap(({ key, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ text, choices }) => ({ place: `"${key} ${text}"`, choices })),
  );
}

/** A shell's pattern of every command, as its function walks to what was typed. */
export function commandPattern(places: readonly Completed[]): string {
  return places.flatMap(({ key }) => (key === "" ? [] : [key])).join("|");
}
