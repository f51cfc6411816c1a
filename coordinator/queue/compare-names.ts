/**
 * Orders names as people count: `node-2` before `node-10`. Kubernetes takes the last pods of a
 * job away first, so that the first ones are to be kept.
 */
export function compareNames(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  let from = at;
  while (from > 0 && isDigit(a[from - 1])) from--;
  const [x, y] = [numberAt(a, from), numberAt(b, from)];
  if (x !== undefined && y !== undefined && x !== y) return x - y;
  return a < b ? -1 : Number(a > b);
}

function numberAt(text: string, from: number): number | undefined {
  let to = from;
  while (isDigit(text[to])) to++;
  return to === from ? undefined : Number(text.slice(from, to));
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= "0" && character <= "9";
}
