import { InvalidArgumentError } from "commander";

/** What a field of the contract holds: an int32. */
const MAX = 2_147_483_647;

/** Reads a whole number of at least `least`, as commander's argument parsers do. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^-?\d{1,10}$/.test(text) && number >= least && number <= MAX) return number;
    throw new InvalidArgumentError(`give a whole number of at least ${least}`);
  };
}
