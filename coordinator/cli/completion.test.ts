import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { Command, Option } from "commander";
import { completionCommand } from "./completion.ts";

/** A program with all that matters to completion. */
function program(): Command {
  const create = new Command("create")
    .description("make what's needed")
    .addOption(new Option("--role <role>").choices(["admin", "viewer"]))
    .addOption(new Option("--secret").hideHelp());
  const token = new Command("token").addCommand(create).addCommand(new Command("list"));
  const stop = new Command("stop").alias("cancel").option("--now").option("--runs-dir <folder>");
  return new Command("moestro")
    .addCommand(token)
    .addCommand(stop)
    .addCommand(completionCommand())
    .exitOverride();
}

function script(t: { mock: typeof import("node:test").mock }, shell: string): string {
  const log = t.mock.method(console, "log", () => {});
  program().parse(["completion", shell], { from: "user" });
  log.mock.restore();
  return String(log.mock.calls[0]?.arguments[0]);
}

/** What bash offers for the last of these words. */
function offered(text: string, ...words: string[]): string[] {
  const walk = `${text}
compopt() { echo files; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _moestro; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["-c", walk, "bash", ...words], { encoding: "utf8" });
  return out.split("\n").filter((line) => line !== "");
}

test("bash completes commands, aliases, options and values as the program has them", (t) => {
  const text = script(t, "bash");
  for (const [words, expected] of [
    [
      ["moestro", ""],
      ["token", "stop", "cancel", "completion"],
    ],
    [["moestro", "to"], ["token"]],
    [
      ["moestro", "token", ""],
      ["create", "list"],
    ],
    [
      ["moestro", "token", "create", "-"],
      ["--role", "--help"],
    ],
    [
      ["moestro", "token", "create", "--role", ""],
      ["admin", "viewer"],
    ],
    [["moestro", "cancel", "r", "--n"], ["--now"]],
    [["moestro", "stop", "--runs-dir", ""], ["files"]],
    [["moestro", "stop", ""], ["files"]],
    [["moestro", "completion", "f"], ["fish"]],
  ] as const) {
    assert.deepEqual(offered(text, ...words), expected, words.join(" "));
  }
});

test("zsh and fish are told what words are for, whatever quotes are in it", (t) => {
  assert.ok(script(t, "zsh").includes(`'create:make what'\\''s needed'`));
  const line = `complete -c moestro -n "__moestro_at '/token'" -a 'create' -d 'make what\\'s needed'`;
  assert.ok(script(t, "fish").split("\n").includes(line));
});

test("a shell that is none of the three is refused", () => {
  const command = program();
  command.commands
    .at(-1)
    ?.exitOverride()
    .configureOutput({ writeErr: () => {} });
  assert.throws(() => command.parse(["completion", "csh"], { from: "user" }), /bash, zsh, fish/);
});
