type Close = () => void | Promise<void>;

const open = new Set<Close>();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, async () => {
    for (const close of [...open].toReversed()) await close();
    process.exit(130);
  });
}

/** Runs `body`, and `close` afterwards, also where a person interrupts the measurement. */
export async function closing<Result>(close: Close, body: () => Promise<Result>): Promise<Result> {
  open.add(close);
  try {
    return await body();
  } finally {
    if (open.delete(close)) await close();
  }
}
