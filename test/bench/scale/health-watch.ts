import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { requestUnary } from "../../../coordinator/rpc/call-unary.ts";

const EVERY_MS = 20;
const PATIENCE_MS = 60_000;

/** Asks a coordinator again and again whether it serves: what waits for its event loop shows. */
export class HealthWatch {
  readonly #client: Client;
  readonly #durationsMs: number[] = [];
  readonly #done: Promise<void>;
  #isOver = false;
  #failure = "";

  constructor(client: Client) {
    this.#client = client;
    this.#done = this.#ask();
  }

  /** What the first check that was not answered failed with, and empty while all were. */
  get failure(): string {
    return this.#failure;
  }

  /** Returns how long each answer took. */
  async end(): Promise<number[]> {
    this.#isOver = true;
    await this.#done;
    return this.#durationsMs;
  }

  async #ask(): Promise<void> {
    const { Check: check } = healthService;
    if (!check) throw new Error("the health service has lost its Check");
    while (!this.#isOver) {
      const began = performance.now();
      try {
        await requestUnary(this.#client, check, { service: "" }, PATIENCE_MS);
        this.#durationsMs.push(performance.now() - began);
      } catch (error) {
        this.#failure ||= (error as Error).message;
      }
      await sleep(EVERY_MS);
    }
  }
}
