const open = new Set<() => void>();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    for (const close of [...open].toReversed()) close();
    process.exit(130);
  });
}

/** Runs `body`, and `close` afterwards, also where a person interrupts the measurement. */
export async function closing<Result>(
  close: () => void,
  body: () => Promise<Result>,
): Promise<Result> {
  open.add(close);
  try {
    return await body();
  } finally {
    if (open.delete(close)) close();
  }
}
