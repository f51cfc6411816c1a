import {
  type ConfigurationOptions,
  Observable,
  type ObservableMiddleware,
} from "@kubernetes/client-node";

/** Options of one call of a client, after which it is given up; by itself it waits for minutes. */
export function within(timeoutMs: number): ConfigurationOptions<ObservableMiddleware> {
  const middleware: ObservableMiddleware = {
    pre: (context) => {
      context.setSignal(AbortSignal.timeout(timeoutMs));
      return new Observable(Promise.resolve(context));
    },
    post: (response) => new Observable(Promise.resolve(response)),
  };
  return { middleware: [middleware], middlewareMergeStrategy: "append" };
}
