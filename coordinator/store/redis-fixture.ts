import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseRedisUrl } from "./redis-address.ts";
import { RedisClient } from "./redis-client.ts";
import { RedisProcess } from "./redis-process.ts";
import { serverState } from "./redis-socket.ts";

/** A real redis-server of a test's own, on a socket in a folder of its own. */
export class RedisFixture {
  readonly url: string;
  readonly #directory: string;
  readonly #process: RedisProcess;
  readonly #socket: string;

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "moestro-redis-"));
    this.#socket = join(this.#directory, "redis.sock");
    this.#process = new RedisProcess(this.#directory);
    this.url = `unix://${this.#socket}`;
  }

  static async start(): Promise<RedisFixture> {
    const fixture = new RedisFixture();
    await fixture.start();
    return fixture;
  }

  /** Again, on the same data. */
  async start(): Promise<void> {
    await this.#process.start(this.#socket);
    while ((await serverState(this.#socket)) !== "up");
  }

  /** Speaks to the server past the store. */
  async command(name: string, ...values: (string | number)[]): Promise<unknown> {
    const client = new RedisClient(parseRedisUrl(this.url), "test");
    try {
      return await client.run((redis) => redis.call(name, ...values));
    } finally {
      client.close();
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  /** As a power cut would: nothing is flushed. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    while ((await serverState(this.#socket)) !== "down");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true });
  }
}
