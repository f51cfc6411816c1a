import { type Completed, type CompletedOption, commandPattern, type Word } from "./completed.ts";

/** A script for fish: one line a word, each with the command that must stand before it. */
export function fishScript(places: readonly Completed[]): string {
  return `# fish completion of moestro
function __moestro_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    switch "$at/$word"
      case ${commandPattern(places).replaceAll("|", " ")}
        set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
complete -c moestro -e
${places.flatMap(linesOf).join("\n")}`;
}

function linesOf({ key, commands, options, choices }: Completed): string[] {
  const offered = [...commands, ...choices.map((text) => ({ text, description: "" }))];
  const condition = `-n "__moestro_at '${key}'"`;
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

function descriptionOf(description: string): string {
  return description ? ` -d ${quoted(description)}` : "";
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
