import assert from "node:assert/strict";
import { it } from "node:test";
import { commandsOf, Reader, type Shell } from "./kubernetes-docs.ts";

const DOCUMENT = `
# Guide
## Install
\`\`\`sh elsewhere
docker build -t image \\
  .
\`\`\`
\`\`\`sh
# everything
kubectl apply -k k8s/

kubectl diff -f job.yaml # exit code 1
\`\`\`
## Words
\`\`\`yaml
kind: Job
\`\`\`
## Follow
\`\`\`sh
kubectl get jobs -w
kubectl get jobs
\`\`\`
`;

const NOT_HERE = new Map([["docker ", "there is none"]]);

/** Says what it is told to. */
class Typist implements Shell {
  readonly typed: string[] = [];
  run(command: string) {
    this.typed.push(command);
    const exitCode = command.includes("diff") ? 1 : 0;
    return Promise.resolve({ exitCode, stdout: `${command.length}`, stderr: "" });
  }
  start(command: string) {
    this.typed.push(command);
    return () => Promise.resolve("watched");
  }
}

const readerOf = (document: string, shell = new Typist(), notHere = NOT_HERE) =>
  new Reader(commandsOf("guide.md", document), shell, notHere);

it("a document's commands are found under their headings, whole and in order", () => {
  const sections = commandsOf("guide.md", DOCUMENT);
  assert.deepEqual(
    sections.map(({ heading, commands }) => [heading, commands.map(({ text }) => text)]),
    [
      [
        "Install",
        [
          "docker build -t image .",
          "kubectl apply -k k8s/",
          "kubectl diff -f job.yaml # exit code 1",
        ],
      ],
      ["Follow", ["kubectl get jobs -w", "kubectl get jobs"]],
    ],
  );
});

it("a reader carries out what can be, and checks what comes of it", async () => {
  const shell = new Typist();
  const reader = readerOf(DOCUMENT, shell);
  let seen = "";
  await reader.follow("Install", {
    "kubectl apply": (printed) => {
      seen = `${printed} after ${shell.typed.length}`;
    },
  });
  await reader.follow("Follow");
  reader.assertDone();
  assert.equal(seen, "21 after 1");
  assert.equal(await reader.end("kubectl get jobs -w"), "watched");
  assert.deepEqual(shell.typed.slice(2), ["kubectl get jobs -w", "kubectl get jobs"]);
});

it("a command that nobody carries out fails in words", async () => {
  const reader = readerOf(DOCUMENT);
  await reader.follow("Install");
  assert.throws(() => reader.assertDone(), /guide.md:20: no step .* carries out: kubectl get jobs/);
  await assert.rejects(readerOf(DOCUMENT).follow("Follow"), /in its order/);
  await assert.rejects(
    readerOf(DOCUMENT, new Typist(), new Map()).follow("Install"),
    /guide.md:6: the test does not say why it cannot carry out: docker build/,
  );
});

it("a reason for what the document does not say, and a check of nothing, are refused", async () => {
  const notHere = new Map([...NOT_HERE, ["podman ", "there is none"]]);
  const reader = readerOf(DOCUMENT, new Typist(), notHere);
  await assert.rejects(reader.follow("Install", { helm: () => {} }), /no command under "Install"/);
  await reader.follow("Follow");
  assert.throws(() => reader.assertDone(), /podman/);
});

it("a command that ends otherwise than the document says fails", async () => {
  const wrong = DOCUMENT.replace(" # exit code 1", "");
  await assert.rejects(readerOf(wrong).follow("Install"), /guide.md:12: kubectl diff -f job.yaml/);
});

it("text speaks only of commands that are shown", () => {
  const spoken = (command: string) => DOCUMENT.replace("# Guide", `Say \`${command}\`.`);
  assert.equal(commandsOf("guide.md", spoken("kubectl get")).length, 2);
  assert.throws(
    () => commandsOf("guide.md", spoken("kubectl drain node-a")),
    /guide.md:2: no command in a fence begins with kubectl drain node-a/,
  );
});

it("a command outside the fences of commands is found", () => {
  const hidden = DOCUMENT.replace("kind: Job", "$ kubectl delete everything");
  assert.throws(() => commandsOf("guide.md", hidden), /guide.md:16: a command stands in a fence/);
});
