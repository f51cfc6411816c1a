import { type Completed, commandPattern, valuedOptions } from "./completed.ts";

/** A script for bash: it walks to the command typed so far and offers what can follow. */
export function bashScript(places: readonly Completed[]): string {
  return `# bash completion of moestro
_moestro() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local at="" word i commands options choices
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "$at/$word" in
      ${commandPattern(places)}) at="$at/$word" ;;
    esac
  done
  case "$at $previous" in
${optionCases(places)}
  esac
  case "$at" in
${places.map(placeCase).join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n "$commands$choices" ]]; then
    COMPREPLY=($(compgen -W "$commands $choices" -- "$current"))
  else
    compopt -o default
    COMPREPLY=()
  fi
}
complete -F _moestro moestro`;
}

function placeCase({ key, commands, options, choices }: Completed): string {
  const words = (list: readonly { text: string }[]) => list.map(({ text }) => text).join(" ");
  return `    "${key}") commands="${words(commands)}" options="${words(options)}" choices="${choices.join(" ")}" ;;`;
}

/** Behind an option with few values only those can follow; behind others files may. */
function optionCases(places: readonly Completed[]): string {
  const valued = valuedOptions(places);
  const few = valued
    .filter(({ choices }) => choices.length > 0)
    .map(({ place, choices }) => {
      const words = choices.join(" ");
      return `    ${place}) COMPREPLY=($(compgen -W "${words}" -- "$current")); return ;;`;
    });
  const any = valued.filter(({ choices }) => choices.length === 0).map(({ place }) => place);
  return [...few, `    ${any.join("|")}) compopt -o default; COMPREPLY=(); return ;;`].join("\n");
}
