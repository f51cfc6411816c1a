import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { joinAddress, splitAddress } from "./address.ts";

const ports = fc.integer({ min: 1, max: 65535 });

test("whatever host and port an address is made of, it is split into them again", () => {
  fc.assert(
    fc.property(fc.oneof(fc.domain(), fc.ipV4()), ports, (host, port) => {
      assert.deepEqual(splitAddress(`${host}:${port}`), { host, port });
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), ports, (host, port) => {
      assert.deepEqual(splitAddress(`[${host}]:${port}`), { host, port });
    }),
  );
});

test("joiners are taken one port up", () => {
  assert.equal(joinAddress("train-0:7443"), "train-0:7444");
  assert.equal(joinAddress("[2001:db8::1]:7443"), "[2001:db8::1]:7444");
});

test("what is no address is refused with an example", () => {
  for (const text of [
    "",
    "host",
    "host:",
    ":1",
    "host:0",
    "host:65536",
    "::1:7443",
    "a b:1",
    "h:1x",
  ]) {
    assert.throws(() => splitAddress(text), /give host:port, such as train-0\.example\.org:7443/);
  }
});
