// Loaded before a process's own code: its wall clock can be moved while it runs. SIGUSR2
// moves it an hour ahead, and again back.
const HOUR_MS = 60 * 60 * 1000;
const RealDate = Date;
let movedMs = 0;

class MovedDate extends RealDate {
  constructor(...given: [] | [number | string | Date]) {
    if (given.length === 0) super(MovedDate.now());
    else super(given[0]);
  }

  static override now(): number {
    return RealDate.now() + movedMs;
  }
}

globalThis.Date = MovedDate as DateConstructor;
process.on("SIGUSR2", () => {
  movedMs = movedMs === 0 ? HOUR_MS : 0;
});
