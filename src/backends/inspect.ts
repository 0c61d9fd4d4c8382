// Where NaN and infinity come from: a program run node by node, with every value looked at as soon as it is made.
import { type Program, changesOf, memoryOf } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import type { Node, Tensor } from '../tensor/tensor.ts';

/** A value that holds NaN or infinity although all that it was made of is finite. */
export interface Finding {
  /** Of the executable's program. */
  readonly tensor: Tensor;
  /** What made it; undefined for an input of the program or for state. */
  readonly node: Node | undefined;
  readonly nans: number;
  readonly infinities: number;
  /** Where they are along the first axis; [0] for a scalar. */
  readonly rows: readonly number[];
  /** The largest magnitude among what the node reads; 0 without a node. */
  readonly largestInput: number;
}

/** How a backend runs a single node, and what it holds. */
export interface NodeRunner {
  run(node: Node): void | Promise<void>;
  /** undefined for a value that is not made. */
  read(tensor: Tensor): HostArray | undefined;
}

/**
 * Runs all nodes but those that change state, and those that would read what they have changed. Infinity that is lost again,
 * as in 1 / (1 / 0), is no finding: only what reaches an output, a change of state or a flag is.
 */
export async function inspectProgram(program: Program, runner: NodeRunner): Promise<Finding | undefined> {
  const findings = new Map<Tensor, Finding>();
  const look = (tensor: Tensor, node?: Node): void => {
    const values = tensor.dtype === 'int32' ? undefined : runner.read(tensor);
    const bad = values && tally(values, tensor.shape[0] ?? 1);
    if (bad) findings.set(tensor, { tensor, node, ...bad, largestInput: 0 });
  };
  const isBad = (tensor: Tensor): boolean => findings.has(tensor);
  const memory = memoryOf(program);
  const skipped = new Set<Tensor>();
  /** What changes state, or tells whether it is changed. */
  const changes: Tensor[] = [];

  for (const tensor of [...program.inputs, ...program.state]) look(tensor);
  for (const node of program.nodes) {
    const changed = changesOf(node, memory);
    if (changed.length > 0 || node.inputs.some((tensor) => skipped.has(memory(tensor)))) {
      for (const tensor of [...changed, ...node.outputs]) skipped.add(tensor);
      changes.push(...node.inputs);
      continue;
    }
    await runner.run(node);
    // A flag tells of what is not finite, and is a whole number itself.
    if (node.outputs.every(({ dtype }) => dtype === 'int32')) changes.push(...node.inputs);
    for (const tensor of node.outputs) look(tensor, node);
    if (!node.outputs.some(isBad) || node.inputs.some(isBad)) continue;
    const largestInput = Math.max(0, ...node.inputs.map((tensor) => largest(runner.read(tensor) ?? [])));
    for (const tensor of node.outputs.filter(isBad))
      findings.set(tensor, { ...findings.get(tensor)!, largestInput });
  }

  const outputs = [...program.outputs.values()].filter(isBad);
  const origins = originsOf(outputs.length > 0 ? outputs : changes.filter(isBad), findings);
  const order = new Map(program.nodes.map((node, i) => [node, i]));
  const place = ({ node }: Finding): number => (node ? order.get(node)! : -1);
  return origins.toSorted((a, b) => place(a) - place(b))[0];
}

/** What bad values go back to: those among their ancestors that are not made of bad values themselves. */
function originsOf(ends: readonly Tensor[], findings: ReadonlyMap<Tensor, Finding>): Finding[] {
  const reached = new Set(ends);
  // A set that grows while it is walked visits what is added.
  for (const tensor of reached) {
    for (const input of findings.get(tensor)!.node?.inputs ?? []) if (findings.has(input)) reached.add(input);
  }
  return Array.from(reached, (tensor) => findings.get(tensor)!).filter(
    ({ node }) => !node?.inputs.some((input) => findings.has(input)),
  );
}

function tally(
  values: HostArray,
  rowCount: number,
): Pick<Finding, 'nans' | 'infinities' | 'rows'> | undefined {
  let nans = 0;
  let infinities = 0;
  const rows = new Set<number>();
  const perRow = values.length / rowCount;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value)) continue;
    if (Number.isNaN(value)) nans++;
    else infinities++;
    rows.add(Math.floor(i / perRow));
  }
  return rows.size === 0 ? undefined : { nans, infinities, rows: [...rows] };
}

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}
