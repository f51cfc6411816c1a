import { type Completed, commandPattern, valuedOptions, type Word } from "./completed.ts";

/** A script for zsh, with what each word is for beside it. */
export function zshScript(places: readonly Completed[]): string {
  return `#compdef moestro
_moestro() {
  local at="" word
  local -a commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at/$word" in
      ${commandPattern(places)}) at="$at/$word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${optionCases(places)}
  esac
  case "$at" in
${places.map(placeCase).join("\n")}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -o option options
  elif (( \${#commands} )); then
    _describe command commands
  else
    _files
  fi
}
compdef _moestro moestro`;
}

function placeCase({ key, commands, options, choices }: Completed): string {
  const values = choices.map((text) => ({ text, description: "" }));
  return `    "${key}") commands=(${words([...commands, ...values])}) options=(${words(options)}) ;;`;
}

function words(list: readonly Word[]): string {
  return list
    .map(({ text, description }) => {
      const word = description ? `${text}:${description}` : text;
      return `'${word.replaceAll("'", `'\\''`)}'`;
    })
    .join(" ");
}

/** Behind an option with few values only those can follow; behind others files may. */
function optionCases(places: readonly Completed[]): string {
  return valuedOptions(places)
    .map(({ place, choices }) => {
      const offer = choices.length > 0 ? `compadd -- ${choices.join(" ")}` : "_files";
      return `    ${place}) ${offer}; return ;;`;
    })
    .join("\n");
}
