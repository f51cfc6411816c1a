import { request } from "node:https";
import { createInterface } from "node:readline";
import type { JsonObject } from "./json.ts";
import type { Access } from "./send.ts";

export type Event = {
  type: string;
  object: JsonObject & { metadata: { name: string; resourceVersion: string } };
};

/** A watch with what it has told so far. */
export type OpenWatch = { events: Event[]; isOver: boolean; close(): void };

/** Opens a watch without a client in between. */
export function openWatch(server: { url: string; access: Access }, path: string): OpenWatch {
  const watch: OpenWatch = { events: [], isOver: false, close: () => call.destroy() };
  const call = request(`${server.url}${path}`, { ...server.access, agent: false });
  const over = (): void => {
    watch.isOver = true;
  };
  call.on("error", over).on("response", (response) => {
    response.on("error", over).on("close", over);
    const lines = createInterface({ input: response });
    lines.on("line", (line) => watch.events.push(JSON.parse(line) as Event));
    lines.on("error", over);
  });
  call.end();
  return watch;
}
