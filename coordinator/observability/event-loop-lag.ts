import { monitorEventLoopDelay } from "node:perf_hooks";
import { Gauge, type Registry } from "prom-client";

const RESOLUTION_MS = 10;

/** How late the event loop is, since the last time somebody asked. */
export function addEventLoopLag(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  // Node records the time between two ticks of a timer: its period is no lag.
  const lagSeconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) / 1000;
  const max = new Gauge({
    name: "moestro_event_loop_lag_max_seconds",
    help: "Largest lag of the event loop since the last look.",
    registers: [],
  });
  new Gauge({
    name: "moestro_event_loop_lag_p99_seconds",
    help: "99th percentile of the event loop's lag since the last look.",
    registers: [registry],
    collect() {
      this.set(lagSeconds(delay.percentile(99)));
      max.set(lagSeconds(delay.max));
      delay.reset();
    },
  });
  // Behind the one that fills it.
  registry.registerMetric(max);
}
