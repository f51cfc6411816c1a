import assert from "node:assert/strict";
import { test } from "node:test";
import { serveCommand } from "./serve.ts";

async function refusal(...args: string[]): Promise<string> {
  const command = serveCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  try {
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    return (error as Error).message;
  }
  return "taken";
}

test("what nobody can connect to is not advertised", async () => {
  for (const address of [
    "0.0.0.0",
    "[::]:7070",
    "train-0:0",
    "train-0:65536",
    "a b",
    "::1",
    "-h",
  ]) {
    const line = await refusal("--advertise", address);
    assert.match(
      line,
      /'--advertise <host\[:port\]>' argument '.*' is invalid\. give a name or address that others reach/,
      address,
    );
  }
});

test("an address to listen on has a port, and brackets if it is one of IPv6", async () => {
  for (const address of ["127.0.0.1", "::1:7070", "[127.0.0.1]:7070", "h:65536"]) {
    assert.match(await refusal("--listen", address), /give host:port, such as 127\.0\.0\.1:0 or/);
  }
});
