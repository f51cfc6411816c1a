import assert from "node:assert/strict";
import type { Output } from "../kubernetes/kubectl.ts";

/** Fences whose commands the test carries out, and those of which it says why it does not. */
const HERE = "sh";
const ELSEWHERE = "sh elsewhere";
/** Where text speaks of a command. */
const SPOKEN_OF = /`(kubectl [^`]+)`/g;
const COMMAND = /^\s*(\$ )?(kubectl|moestro|npx|docker|helm) /;
/** What a command exits with where that is not 0, as its line says to people. */
const EXIT_CODE = /# exit code (\d+)/;
/** It prints until somebody ends it. */
const GOES_ON = / (-w|--watch|--follow)( |$)/;

export interface DocumentedCommand {
  text: string;
  /** file:line */
  place: string;
  isElsewhere: boolean;
}

export interface Section {
  heading: string;
  commands: DocumentedCommand[];
}

/** The commands of a Markdown document under their headings; throws where some hide elsewhere. */
export function commandsOf(name: string, text: string): Section[] {
  const sections: Section[] = [{ heading: "", commands: [] }];
  const spokenOf: [command: string, place: string][] = [];
  let fence: string | undefined;
  let begun = "";
  for (const [index, line] of text.split("\n").entries()) {
    const place = `${name}:${index + 1}`;
    if (line.startsWith("```")) {
      fence = fence === undefined ? line.slice(3).trim() : undefined;
    } else if (fence === undefined) {
      const heading = /^#+ (.+)$/.exec(line)?.[1];
      if (heading !== undefined) sections.push({ heading, commands: [] });
      for (const [, command = ""] of line.matchAll(SPOKEN_OF)) spokenOf.push([command, place]);
    } else if (fence === HERE || fence === ELSEWHERE) {
      begun += line.replace(/\\$/, "");
      if (line.endsWith("\\")) continue;
      const isElsewhere = fence === ELSEWHERE;
      const command = begun.replace(/ +/g, " ").trim();
      begun = "";
      if (command === "" || command.startsWith("#")) continue;
      sections.at(-1)?.commands.push({ text: command, place, isElsewhere });
    } else {
      assert.doesNotMatch(line, COMMAND, `${place}: a command stands in a fence \`\`\`${HERE}`);
    }
  }
  const all = sections.flatMap(({ commands }) => commands);
  for (const [command, place] of spokenOf) {
    const isShown = all.some(({ text }) => text.startsWith(command));
    assert.ok(isShown, `${place}: no command in a fence begins with ${command}`);
  }
  return sections.filter(({ commands }) => commands.length > 0);
}

/** What carries commands out as a person's shell does. */
export interface Shell {
  run(command: string): Promise<Output>;
  /** One that goes on; returns what ends it and gives what it printed. */
  start(command: string): () => Promise<string>;
}

/** A reader who does what a document says, from its first command to its last. */
export class Reader {
  private readonly left: Section[];
  private readonly shell: Shell;
  private readonly notHere: ReadonlyMap<string, string>;
  private readonly known = new Set<string>();
  private readonly going = new Map<string, () => Promise<string>>();

  /** @param notHere how commands begin that only others can carry out, and why */
  constructor(sections: Section[], shell: Shell, notHere: ReadonlyMap<string, string>) {
    this.left = [...sections];
    this.shell = shell;
    this.notHere = notHere;
  }

  /**
   * Carries out the next section's commands one after the other.
   *
   * @param heading which that is to be
   * @param after what is to be so once a command has been carried out, by a part of it
   */
  async follow(
    heading: string,
    after: Record<string, (printed: string) => unknown> = {},
  ): Promise<void> {
    const section = this.left.shift();
    assert.equal(section?.heading, heading, "the document's sections are followed in its order");
    const checks = new Map(Object.entries(after));
    for (const command of section?.commands ?? []) {
      const printed = await this.carryOut(command);
      for (const [part, check] of checks) {
        if (!command.text.includes(part)) continue;
        checks.delete(part);
        await check(printed);
      }
    }
    assert.deepEqual([...checks.keys()], [], `no command under "${heading}" says so`);
  }

  /** Ends what goes on, and gives what it printed. */
  async end(command: string): Promise<string> {
    const end = this.going.get(command);
    assert.ok(end, `${command}: was not begun`);
    this.going.delete(command);
    return end();
  }

  /** Everything was carried out, or is known not to be. */
  assertDone(): void {
    const left = this.left.flatMap(({ commands }) => commands);
    assert.deepEqual(
      left.map(({ place, text }) => `${place}: no step of the test carries out: ${text}`),
      [],
    );
    const idle = [...this.notHere.keys()].filter((start) => !this.known.has(start));
    assert.deepEqual(idle, [], "what is not carried out here is in the document");
  }

  private async carryOut({ text, place, isElsewhere }: DocumentedCommand): Promise<string> {
    if (isElsewhere) {
      const start = [...this.notHere.keys()].find((one) => text.startsWith(one));
      assert.ok(start, `${place}: the test does not say why it cannot carry out: ${text}`);
      this.known.add(start);
      return "";
    }
    if (GOES_ON.test(text)) {
      this.going.set(text, this.shell.start(text));
      return "";
    }
    const { exitCode, stdout, stderr } = await this.shell.run(text);
    const expected = Number(EXIT_CODE.exec(text)?.[1] ?? 0);
    assert.equal(exitCode, expected, `${place}: ${text}: ${stderr}${stdout}`);
    return stdout + stderr;
  }
}
