import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { MoestroError } from "../errors.ts";
import type { JobPath, JobSource, Position } from "./problems.ts";

/** More aliases than a person writes, far fewer than it takes to fill memory. */
const MAX_ALIASES = 100;

/**
 * Parses YAML 1.2 into plain data and keeps where everything stands.
 *
 * @throws MoestroError `invalid_input`, `file:line:col: …` lines
 */
export function parseYaml(text: string, name: string): { raw: unknown; source: JobSource } {
  const lines = new LineCounter();
  const fail = (faults: readonly Fault[]) =>
    new MoestroError(
      "invalid_input",
      faults.map(({ offset, what }) => {
        const { line, column } = position(lines, offset);
        return `${name}:${line}:${column}: ${what}`;
      }),
    );
  try {
    const document = parseDocument(text, {
      version: "1.2",
      lineCounter: lines,
      prettyErrors: false,
      logLevel: "error",
    });
    const faults = faultsOf(document);
    if (faults.length > 0) throw fail(faults);
    const raw: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    return { raw, source: { name, locate: (path, at) => locate(document, lines, path, at) } };
  } catch (error) {
    if (error instanceof RangeError) throw fail([TOO_DEEP]);
    if (error instanceof ReferenceError) throw fail([TOO_MANY_ALIASES]);
    throw error;
  }
}

interface Fault {
  offset: number;
  what: string;
}

/** The parser recurses, so nesting that no job needs would end the stack. */
const TOO_DEEP: Fault = { offset: 0, what: "is nested too deeply; a job has three levels" };

const TOO_MANY_ALIASES: Fault = {
  offset: 0,
  what: "its aliases expand to more than a job needs; write the values out",
};

/** What keeps a document from being read: one syntax error, or all of the rest. */
function faultsOf(document: Document): Fault[] {
  const { errors, warnings } = document;
  if (errors.some(({ message }) => /call stack|stack overflow/i.test(message))) return [TOO_DEEP];
  // One syntax error brings others in its wake, so only the first is told.
  const [syntax] = errors
    .filter(({ code }) => code !== "DUPLICATE_KEY")
    .sort((a, b) => a.pos[0] - b.pos[0]);
  if (syntax !== undefined) return [{ offset: syntax.pos[0], what: describeSyntax(syntax) }];
  const faults = errors.map(({ pos }) => ({
    offset: pos[0],
    what: "the key is given twice; keep one of them",
  }));
  // Warnings are about unknown tags, which no job has a use for.
  for (const { pos, message } of warnings) {
    faults.push({ offset: pos[0], what: `${message}; remove the tag` });
  }
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return;
      const what = `no anchor &${alias.source} stands before the alias; write the value out`;
      faults.push({ offset: startOf(alias) ?? 0, what });
    },
  });
  return faults;
}

function describeSyntax({ code, message }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return "a second YAML document begins; keep one job a file";
  const [first = ""] = message.split("\n");
  return `not valid YAML: ${first.replace(/[.:]$/, "")}; correct the line`;
}

function locate(document: Document, lines: LineCounter, path: JobPath, at?: "key"): Position {
  let node: unknown = document.contents;
  let keyOffset = 0;
  for (const key of path) {
    const parent: unknown = isAlias(node) ? node.resolve(document) : node;
    if (isMap(parent)) {
      const pair = parent.items.find((item) => keyText(item.key) === String(key));
      if (pair === undefined) return position(lines, keyOffset);
      keyOffset = startOf(pair.key) ?? keyOffset;
      node = pair.value;
    } else if (isSeq(parent)) {
      const item = parent.items[Number(key)];
      if (item === undefined) return position(lines, keyOffset);
      keyOffset = startOf(item) ?? keyOffset;
      node = item;
    } else {
      return position(lines, keyOffset);
    }
  }
  const isAbsent = isScalar(node) && node.value === null && node.source === "";
  // A block collection begins on the line below its key, at the first entry.
  const isBlock = isCollection(node) && node.flow !== true;
  const offset = at === "key" || isAbsent || isBlock ? undefined : startOf(node);
  return position(lines, offset ?? keyOffset);
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
