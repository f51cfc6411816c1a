import type { KubeConfig, RequestContext } from "@kubernetes/client-node";

/** Certificates that a connection rests on are read anew as often. */
const SHARED_MS = 5 * 60_000;

/**
 * Has the requests of a configuration's clients share connections, for a while each; by itself
 * the client opens one for every request.
 */
export function shareConnections(config: KubeConfig, sharedMs = SHARED_MS): KubeConfig {
  const authenticate = config.applySecurityAuthentication.bind(config);
  let shared: ReturnType<RequestContext["getDispatcher"]>;
  let untilMs = Number.NEGATIVE_INFINITY;
  config.applySecurityAuthentication = async (context) => {
    await authenticate(context);
    const nowMs = performance.now();
    if (nowMs >= untilMs) {
      shared = context.getDispatcher();
      untilMs = nowMs + sharedMs;
    }
    if (shared !== undefined) context.setDispatcher(shared);
  };
  return config;
}
