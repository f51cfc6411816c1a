/**
 * Whether a `.dockerignore` keeps a path of the context from the build. The last pattern that
 * fits the path, or a folder above it, decides; one behind `!` brings back.
 */
export function isIgnored(path: string, ignoreFile: string): boolean {
  const parts = path.split("/");
  const paths = parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  let ignored = false;
  for (const line of ignoreFile.split("\n").map((one) => one.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const brings = line.startsWith("!");
    const pattern = expressionOf(brings ? line.slice(1) : line);
    if (paths.some((one) => pattern.test(one))) ignored = !brings;
  }
  return ignored;
}

function expressionOf(pattern: string): RegExp {
  const source = pattern
    .split(/(\*\*\/|\*\*|\*|\?)/)
    .map((part) => WILDCARDS[part] ?? part.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&"))
    .join("");
  return new RegExp(`^${source}$`);
}

const WILDCARDS: { [wildcard: string]: string } = {
  "**/": "(?:.*/)?",
  "**": ".*",
  "*": "[^/]*",
  "?": "[^/]",
};
