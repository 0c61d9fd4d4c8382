// Products that are made in parts are sums of these in the end, each a dispatch of its own. Where nobody asks for a sum before others are
// made, all are made in one.
import type { MemoryPlan, Program } from '../../program/index.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Argument, Dispatch, PartsSum, Scratch } from './dispatch.ts';
import { eachItem, groupSize } from './items.ts';
import { type Stretch, findRow, tableNumber, tableOf } from './stretches.ts';

/** What a node is done by. */
export interface Described {
  readonly node: Node;
  readonly dispatches: readonly Dispatch[];
}

/** Memory for parts that wait, in elements: what is large is no worse by itself. */
const mostWaiting = 2 ** 23;
/** Scratch memory begins at multiples of so many elements. */
const aligned = (elements: number): number => Math.ceil(elements / 64) * 64;

const waitingMemory = 'sums that wait';

export function sumLater(
  described: readonly Described[],
  { nodes, outputs }: Program,
  plan: Pick<MemoryPlan, 'locate'>,
  stretches: (tensors: readonly Tensor[]) => readonly Stretch[],
): Described[] {
  const memory = (tensor: Tensor): Tensor => plan.locate(tensor).memory;
  // What nobody reads has no memory of its own for so long.
  const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...outputs.values()].map(memory));
  const result: Described[] = [];
  let waiting: { readonly node: Node; readonly sum: PartsSum }[] = [];
  let end = 0;
  const sumUp = (): void => {
    if (waiting.length > 0)
      result.push({
        node: waiting[0]!.node,
        dispatches: inOne(
          waiting.map(({ sum }) => sum),
          stretches,
        ),
      });
    waiting = [];
    end = 0;
  };
  for (const each of described) {
    const { node, dispatches } = each;
    const targets = new Set(waiting.map(({ sum }) => sum.target));
    if (node.inputs.some((tensor) => targets.has(memory(tensor)))) sumUp();
    const sums = dispatches.flatMap((dispatch) => dispatch.sums ?? []);
    const regions = regionsOf(sums);
    const wanted = [...regions.values()].reduce((total, elements) => total + elements, 0);
    if (sums.length === 0 || wanted > mostWaiting) {
      result.push(each);
      continue;
    }
    if (end + wanted > mostWaiting) sumUp();
    const starts = new Map<string, number>();
    for (const [name, elements] of regions) {
      starts.set(name, end);
      end += elements;
    }
    const moved = dispatches.filter((dispatch) => dispatch.sums === undefined);
    result.push({ node, dispatches: moved.map((dispatch) => inWaitingMemory(dispatch, starts)) });
    for (const sum of sums)
      if (read.has(sum.target)) waiting.push({ node, sum: { ...sum, from: moveTo(sum.from, starts) } });
  }
  sumUp();
  return result;
}

/** How much memory there is of each name. */
function regionsOf(sums: readonly PartsSum[]): Map<string, number> {
  const regions = new Map<string, number>();
  for (const { from } of sums) {
    const elements = aligned((from.start ?? 0) + from.elements);
    regions.set(from.scratch, Math.max(elements, regions.get(from.scratch) ?? 0));
  }
  return regions;
}

function moveTo(from: Scratch, starts: ReadonlyMap<string, number>): Scratch {
  const start = starts.get(from.scratch);
  return start === undefined
    ? from
    : { scratch: waitingMemory, start: start + (from.start ?? 0), elements: from.elements };
}

function inWaitingMemory(dispatch: Dispatch, starts: ReadonlyMap<string, number>): Dispatch {
  const moved = dispatch.arguments.map((argument): Argument => {
    const { operand } = argument;
    return 'scratch' in operand ? { ...argument, operand: moveTo(operand, starts) } : argument;
  });
  return { ...dispatch, arguments: moved };
}

/** Numbers of a sum in the table. */
const columns = 5;

/** An invocation for each element. Those of a workgroup are of one sum, which it looks for among the first blocks of all. */
function inOne(
  sums: readonly PartsSum[],
  stretches: (tensors: readonly Tensor[]) => readonly Stretch[],
): Dispatch[] {
  return stretches(sums.map(({ target }) => target)).map(({ operand, elements, members }) => {
    let blocks = 0;
    const rows = members.map(({ index, start }) => {
      const sum = sums[index]!;
      const row = [blocks, sum.from.start ?? 0, start, sum.parts, sum.elements];
      blocks += Math.ceil(sum.elements / groupSize);
      return row;
    });
    const all = Math.max(...sums.map(({ from }) => (from.start ?? 0) + from.elements));
    return eachItem({
      arguments: [
        { name: 'parts', operand: { scratch: waitingMemory, elements: all } },
        { name: 'table', operand: tableOf(rows.flat()) },
        { name: 'y', operand, elements, isWritten: true },
      ],
      count: blocks * groupSize,
      functions: tableNumber,
      body: `${findRow(columns)}
  let elements = tableNumber(row + 4u);
  if (at >= elements) { return; }
  let first = tableNumber(row + 1u) + at;
  var total = 0.0f;
  for (var part = 0u; part < tableNumber(row + 3u); part++) { total += parts(first + part * elements); }
  set_y(tableNumber(row + 2u) + at, total);`,
      sizes: { rows: rows.length },
    });
  });
}
