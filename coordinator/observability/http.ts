import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MoestroError } from "../errors.ts";
import { formatAddress } from "../rpc/address.ts";

/** Scrapers and probes send a line and a few headers. */
const MAX_HEADER_BYTES = 8 * 1024;
const REQUEST_TIMEOUT_MS = 5000;
const KEEP_ALIVE_MS = 30_000;
const MAX_CONNECTIONS = 100;

const TEXT = "text/plain; charset=utf-8";

export type HttpOptions = {
  metrics: { readonly contentType: string; render(): Promise<string> };
  /** One line why the coordinator does not serve; undefined while it does. */
  notReady(): string | undefined;
};

/** What probes and Prometheus ask, on a port of its own and without a certificate. */
export type HttpServer = {
  /** Starts to listen; returns the port, which is `port` unless that was 0. */
  listen(host: string, port: number): Promise<number>;
  close(): Promise<void>;
};

type Answer = { code: number; type?: string; body: string };

export function createHttpServer(options: HttpOptions): HttpServer {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      const { method = "" } = request;
      if (method !== "GET" && method !== "HEAD") {
        response.setHeader("allow", "GET, HEAD");
        // What is sent along is not read.
        response.setHeader("connection", "close");
        send(response, method, { code: 405, body: `${method} is not served; use GET` });
        return;
      }
      const path = request.url?.split("?", 1)[0] ?? "";
      answer(path, options).then((found) => send(response, method, found));
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  return {
    listen: (host, port) => listen(server, host, port),
    close: () => close(server),
  };
}

async function answer(path: string, { metrics, notReady }: HttpOptions): Promise<Answer> {
  switch (path) {
    // That it is answered at all is the answer: it depends on nothing but this process.
    case "/livez":
      return { code: 200, body: "alive" };
    case "/readyz": {
      const why = notReady();
      return why === undefined ? { code: 200, body: "ready" } : { code: 503, body: why };
    }
    case "/metrics":
      try {
        return { code: 200, type: metrics.contentType, body: await metrics.render() };
      } catch (error) {
        return { code: 500, body: `metrics: ${(error as Error).message}` };
      }
    default:
      return { code: 404, body: "there are /metrics, /livez and /readyz" };
  }
}

function send(response: ServerResponse, method: string, { code, type = TEXT, body }: Answer): void {
  const text = type === TEXT ? `${body}\n` : body;
  response.writeHead(code, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(method === "HEAD" ? undefined : text);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === "EADDRINUSE" ? "another process listens on it" : message;
      reject(
        new MoestroError(
          "environment",
          `--http ${formatAddress({ host, port })}: ${why}; choose another port, or 0 for any free one`,
        ),
      );
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
