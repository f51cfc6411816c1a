import type { Cell } from "./cell.ts";
import { agentCells } from "./cells/agent-cells.ts";
import { coordinatorCells } from "./cells/coordinator-cells.ts";
import { elasticCells } from "./cells/elastic-cells.ts";
import { nodeCells } from "./cells/node-cells.ts";
import { rankCells } from "./cells/rank-cells.ts";
import { redisCells } from "./cells/redis-cells.ts";
import { storageCells } from "./cells/storage-cells.ts";

/** The whole matrix. */
export const cells: readonly Cell[] = [
  ...rankCells,
  ...agentCells,
  ...coordinatorCells,
  ...redisCells,
  ...storageCells,
  ...nodeCells,
  ...elasticCells,
];

export function cellNamed(name: string): Cell {
  const cell = cells.find((one) => one.name === name);
  if (!cell) throw new Error(`there is no cell ${name}`);
  return cell;
}
