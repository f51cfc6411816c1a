import {
  BEGIN_FRAME,
  CLEAR,
  CURSOR_HOME,
  END_FRAME,
  ENTER_SCREEN,
  ERASE_BELOW,
  ERASE_LINE,
  HIDE_CURSOR,
  LEAVE_SCREEN,
  SHOW_CURSOR,
} from "../view/escapes.ts";
import { Output } from "../view/output.ts";

/** A terminal's second screen, which a person's shell is found behind again. */
export class FullScreen {
  readonly #stream: NodeJS.WriteStream;
  readonly #output: Output;
  readonly #onResize: () => void;
  #frame = "";
  #resized = true;
  #left = false;
  // Runs on a crash too, before the error is told: an uncaught one ends in the exit event.
  readonly #onExit = () => this.leave();

  constructor(stream: NodeJS.WriteStream, resized: () => void) {
    this.#stream = stream;
    this.#output = new Output(stream);
    this.#onResize = () => {
      this.#resized = true;
      resized();
    };
    stream.on("resize", this.#onResize);
    process.on("exit", this.#onExit);
    this.#output.write(`${ENTER_SCREEN}${HIDE_CURSOR}`);
  }

  /** Whether the terminal is so slow that drawing can wait. */
  get isBehind(): boolean {
    return this.#output.isBehind;
  }

  /** Shows lines, at most as many as there are rows and as wide as there are columns. */
  draw(lines: readonly string[]): void {
    // Erased before it is written: behind a line as wide as the screen its end would go.
    const frame = lines.map((line) => `${ERASE_LINE}${line}`).join("\r\n");
    if (this.#left || (frame === this.#frame && !this.#resized)) return;
    const start = this.#resized ? CLEAR : CURSOR_HOME;
    const isFull = lines.length >= this.#stream.rows;
    const end = isFull ? "" : `\r\n${ERASE_BELOW}`;
    this.#output.write(`${BEGIN_FRAME}${start}${frame}${end}${END_FRAME}`);
    this.#frame = frame;
    this.#resized = false;
  }

  /** Gives the terminal back as it was. Safe to repeat. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#stream.off("resize", this.#onResize);
    process.off("exit", this.#onExit);
    this.#output.write(`${SHOW_CURSOR}${LEAVE_SCREEN}`);
  }
}
