import { existsSync, readFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { dirname, join, relative } from "node:path";

/** Imports, also those made only when they are needed, and files beside a source. */
const NAMED = [
  /^(?:import|export)\b[^;"'=()]*?\bfrom\s+["']([^"']+)["'];/gm,
  /^import\s+["']([^"']+)["'];/gm,
  /\bimport\(\s*["']([^"']+)["']\s*\)/g,
  /\bnew URL\(\s*["']([^"']+)["'],\s*import\.meta\.url\)/g,
];
const BUILT_IN = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);

/** A source, below the folder, and what it names that is not there. */
export type Missing = { source: string; name: string };

/** The files and packages that sources name and that are not there; types are no reason to be. */
export function missingFrom(folder: string, entries: readonly string[]): Missing[] {
  const missing: Missing[] = [];
  const seen = new Set<string>();
  const open = entries.map((entry) => join(folder, entry));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const name of namesIn(path)) {
      const found = resolve(name, path);
      if (found === undefined) missing.push({ source: relative(folder, path), name });
      else if (/\.m?[jt]s$/.test(found) && !found.includes("node_modules")) open.push(found);
    }
  }
  return missing;
}

function namesIn(path: string): string[] {
  const text = readFileSync(path, "utf8").replaceAll(/^import type [^;]*;/gm, "");
  return NAMED.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name]) => name ?? ""));
}

/** Where it is, undefined if it is nowhere; what Node has itself is where it is named. */
function resolve(name: string, from: string): string | undefined {
  if (BUILT_IN.has(name)) return from;
  if (name.startsWith(".")) {
    const path = join(dirname(from), name);
    return existsSync(path) ? path : undefined;
  }
  try {
    return createRequire(from).resolve(name);
  } catch {
    const folder = name.split("/").slice(0, name.startsWith("@") ? 2 : 1);
    const roots = createRequire(from).resolve.paths(name) ?? [];
    // Packages of modules alone have no entry for require.
    return roots.map((root) => join(root, ...folder)).find((one) => existsSync(one));
  }
}
