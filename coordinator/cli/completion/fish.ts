import type { Completed, CompletedOption, Word } from "./completed.ts";

/** A script for fish: one line a word, each with the words that must stand before it. */
export function fishScript(places: readonly Completed[]): string {
  return [
    "# fish completion of moestro",
    "complete -c moestro -e",
    ...places.flatMap(linesOf),
  ].join("\n");
}

function linesOf(place: Completed): string[] {
  const { commands, options, choices } = place;
  const offered = [...commands, ...choices.map((text) => ({ text, description: "" }))];
  const condition = `-n ${quoted(conditionOf(place))}`;
  return [
    // Where words are offered, files are not.
    ...(offered.length > 0 ? [`complete -c moestro ${condition} -f`] : []),
    ...offered.map((word) => `complete -c moestro ${condition} ${wordOf(word)}`),
    ...options.map((option) => `complete -c moestro ${condition} ${optionOf(option)}`),
  ];
}

function wordOf({ text, description }: Word): string {
  return `-a ${quoted(text)}${descriptionOf(description)}`;
}

function optionOf({ text, description, takesValue, choices }: CompletedOption): string {
  const values =
    choices.length > 0 ? ` -x -a ${quoted(choices.join(" "))}` : takesValue ? " -r" : "";
  return `-l ${text.replace(/^--/, "")}${values}${descriptionOf(description)}`;
}

/** The place's words have been typed, and none of the commands that lead on. */
function conditionOf({ path, commands }: Completed): string {
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
  const none = commands.map(({ text }) => text).join(" ");
  return [...seen, ...(none ? [`not __fish_seen_subcommand_from ${none}`] : [])].join("; and ");
}

function descriptionOf(description: string): string {
  return description ? ` -d ${quoted(description)}` : "";
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
