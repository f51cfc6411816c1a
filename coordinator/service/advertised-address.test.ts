import assert from "node:assert/strict";
import { test } from "node:test";
import {
  advertisedHost,
  isWildcard,
  localHost,
  type MachineAddresses,
} from "./advertised-address.ts";

const LOOPBACK = { address: "127.0.0.1", family: "IPv4", internal: true } as const;
const V4 = { address: "10.0.0.7", family: "IPv4", internal: false } as const;
const V6 = { address: "2001:db8::7", family: "IPv6", internal: false } as const;
const LINK = { address: "fe80::7", family: "IPv6", internal: false } as const;

function machine(ofHostName: string[], interfaces: MachineAddresses["interfaces"]) {
  const named = ofHostName.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  return { ofHostName: named, interfaces };
}

test("what a person says is told, whatever the machine is called", () => {
  const advertise = { host: "lb.example.org", port: undefined };
  assert.equal(advertisedHost("0.0.0.0", advertise, machine(["10.0.0.7"], [V4])), "lb.example.org");
});

test("who listens on one address is told to be there", () => {
  assert.equal(advertisedHost("10.0.0.7", undefined, machine([], [])), "10.0.0.7");
  assert.equal(localHost("10.0.0.7"), "10.0.0.7");
});

test("on a wildcard it is told what the machine's name stands for, if others get there", () => {
  assert.equal(advertisedHost("0.0.0.0", undefined, machine(["10.0.0.9"], [V4])), "10.0.0.9");
  // As Debian has it in /etc/hosts.
  const named = machine(["127.0.1.1", "::1"], [LOOPBACK, V4]);
  assert.equal(advertisedHost("0.0.0.0", undefined, named), "10.0.0.7");
});

test("on IPv4's wildcard an IPv6 address is told to nobody; on IPv6's either is good", () => {
  const interfaces = [LOOPBACK, LINK, V6, V4];
  const around = { ofHostName: [{ address: V6.address, family: 6 }], interfaces };
  assert.equal(advertisedHost("0.0.0.0", undefined, around), "10.0.0.7");
  assert.equal(advertisedHost("::", undefined, around), V6.address);
  const unnamed = { ...around, ofHostName: [] };
  assert.equal(advertisedHost("::", undefined, unnamed), "2001:db8::7");
});

test("a machine on its own tells its loopback", () => {
  assert.equal(advertisedHost("0.0.0.0", undefined, machine([], [LOOPBACK])), "127.0.0.1");
  assert.equal(advertisedHost("::", undefined, machine([], [LOOPBACK])), "::1");
  assert.equal(localHost("0.0.0.0"), "127.0.0.1");
});

test("a wildcard is known in every spelling, and nothing else is one", () => {
  for (const host of ["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::0", "::ffff:0.0.0.0", "0"]) {
    assert.ok(isWildcard(host), host);
  }
  for (const host of ["127.0.0.1", "::1", "10.0.0.0", "localhost"]) {
    assert.ok(!isWildcard(host), host);
  }
});
