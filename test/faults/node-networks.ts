import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";

/**
 * A network namespace for each agent, all on one bridge with this machine: a node that can
 * be cut off. Needs root and `ip`.
 */
export class NodeNetworks {
  readonly #tag = randomInt(0x1000, 0xffff).toString(16);
  readonly #subnet = `10.${randomInt(64, 250)}.${randomInt(1, 250)}`;
  readonly #ids: readonly string[];

  constructor(ids: readonly string[]) {
    this.#ids = ids;
    const bridge = this.#bridge;
    ip(`link add ${bridge} type bridge`);
    ip(`addr add ${this.host}/24 dev ${bridge}`);
    ip(`link set ${bridge} up`);
    for (const id of ids) {
      const [space, near] = [this.#space(id), this.#near(id)];
      ip(`netns add ${space}`);
      ip(`link add ${near} type veth peer name eth0 netns ${space}`);
      ip(`link set ${near} master ${bridge} up`);
      ip(`-n ${space} addr add ${this.address(id)}/24 dev eth0`);
      ip(`-n ${space} link set eth0 up`);
      ip(`-n ${space} link set lo up`);
    }
  }

  /** Why there can be none here; undefined if there can. */
  static whyNot(): string | undefined {
    if (process.getuid?.() !== 0) return "network namespaces need root";
    try {
      execFileSync("ip", ["netns", "list"], { stdio: "ignore" });
      return undefined;
    } catch {
      return "there is no ip command, or no network namespaces";
    }
  }

  /** This machine's own address on the bridge. */
  get host(): string {
    return `${this.#subnet}.1`;
  }

  address(id: string): string {
    return `${this.#subnet}.${10 + this.#ids.indexOf(id)}`;
  }

  /** The command, to be run on the agent's node. */
  inside(id: string, command: readonly string[]): string[] {
    return ["ip", "netns", "exec", this.#space(id), ...command];
  }

  agentArguments(id: string): string[] {
    return ["--address", this.address(id), "--interface", "eth0"];
  }

  cut(id: string): void {
    ip(`link set ${this.#near(id)} down`);
  }

  mend(id: string): void {
    ip(`link set ${this.#near(id)} up`);
  }

  close(): void {
    for (const id of this.#ids) {
      ip(`link del ${this.#near(id)}`);
      ip(`netns del ${this.#space(id)}`);
    }
    ip(`link del ${this.#bridge}`);
  }

  get #bridge(): string {
    return `mf${this.#tag}`;
  }

  #near(id: string): string {
    return `mf${this.#tag}${id}`;
  }

  #space(id: string): string {
    return `moestro-${this.#tag}-${id}`;
  }
}

function ip(command: string): void {
  execFileSync("ip", command.split(" "), { stdio: ["ignore", "ignore", "inherit"] });
}
