// Norms of groups of tensors, side by side: all that they are of is read in one dispatch, and each norm joined in another.
import { globalNormOp } from '../../../ops/global-norm.ts';
import { concatOp } from '../../../ops/slice.ts';
import { type Program, opOf } from '../../../program/index.ts';
import { bytesPerElement } from '../../../tensor/dtype.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import type { Dispatch, Kernel, Scratch } from '../dispatch.ts';
import { eachItem, groupSize } from '../items.ts';
import { chain } from '../reducing.ts';
import { reduction } from '../reduction.ts';
import { tableNumber, tableOf } from '../stretches.ts';
import { Joining, standIn } from './joined.ts';

/** Shares of a norm that are joined in one dispatch: by one invocation, and by several. */
const mostShares = { alone: 1024, together: 4096 } as const;

/** Some elements of a norm that a workgroup adds up, an invocation every so many-th of them. */
interface Share {
  readonly stretch: number;
  readonly start: number;
  readonly elements: number;
  /** Where it is left, among the shares of all norms. */
  readonly place: number;
}

/** @param counts of the tensors of each norm */
function kernelFor(counts: readonly number[]): Kernel {
  const used = counts.reduce((sum, count) => sum + count, 0);
  return ({ inputs: given, outputs: [y] }, { spans, stretches, tuning }) => {
    const inputs = given.slice(0, used);
    const all = stretches(inputs);
    const placeOf = new Map(
      all.flatMap(({ members }, stretch) =>
        members.map(({ index, start }) => [inputs[index]!, { stretch, start }] as const),
      ),
    );
    let end = 0;
    const norms = counts.map((count) => {
      end += count;
      return spans(inputs.slice(end - count, end)).map(({ operand, elements }) => ({
        ...placeOf.get(operand)!,
        elements,
      }));
    });
    const most = tuning.lanes === 1 ? mostShares.alone : mostShares.together;
    // By its own elements alone, so that a norm is the same to the bit whatever it is joined with.
    const cut = norms.map((of) => {
      const total = of.reduce((sum, { elements }) => sum + elements, 0);
      const groupsOfOne = Math.max(1, most / groupSize - of.length);
      const perGroup = Math.max(groupSize * chain, Math.ceil(total / groupsOfOne));
      return of.flatMap(({ stretch, start, elements }) =>
        Array.from({ length: Math.ceil(elements / perGroup) }, (_, i) => ({
          stretch,
          start: start + i * perGroup,
          elements: Math.min(perGroup, elements - i * perGroup),
        })),
      );
    });
    // One alone would be joined in another order than several.
    const groups = Math.max(2, ...cut.map((of) => of.length));
    const placed = cut.flatMap((of, norm) =>
      of.map((share, i): Share => ({ ...share, place: (norm * groups + i) * groupSize })),
    );
    // Where a norm has fewer, what it lacks is 0, as nobody writes there.
    const shares: Scratch = { scratch: `norms ${y!.id}`, elements: counts.length * groups * groupSize };
    const sharing = all.map(({ operand, elements }, stretch): Dispatch => {
      const own = placed.filter((share) => share.stretch === stretch);
      return eachItem({
        arguments: [
          { name: 'value', operand, elements },
          {
            name: 'table',
            operand: tableOf(own.flatMap((share) => [share.start, share.elements, share.place])),
          },
          { name: 'shares', operand: shares, isWritten: true },
        ],
        count: own.length * groupSize,
        functions: tableNumber,
        body: `let group_ = i / ${groupSize}u; let start = tableNumber(3u * group_); let end = start + tableNumber(3u * group_ + 1u);
  var total = 0.0f;
  for (var j = start + lane; j < end;) {
    var part = 0.0f;
    for (var r = 0u; r < ${chain}u && j < end; r++) { let x = value(j); part += x * x; j += ${groupSize}u; }
    total += part;
  }
  set_shares(tableNumber(3u * group_ + 2u) + lane, total);`,
      });
    });
    const joining = reduction({
      reads: [{ name: 'shares', operand: shares }],
      output: y!,
      outputs: counts.length,
      terms: groups * groupSize,
      term: 'return shares(i * u.terms + j);',
      result: 'sqrt(v)',
      neighbours: 'terms',
      lanes: tuning.lanes,
    });
    return [...sharing, ...joining];
  };
}

export function joinNorms(program: Program): Program {
  const joining = new Joining(program);
  const makers = new Map(
    program.nodes.flatMap((node) => node.outputs.map((tensor) => [tensor, node] as const)),
  );
  for (const concat of program.nodes) {
    if (concat.op !== concatOp || concat.outputs[0]!.shape.length !== 1) continue;
    const norms = concat.inputs.map((tensor) => normOf(tensor, concat, makers, joining));
    if (norms.some((norm) => norm === undefined)) continue;
    const found = norms as readonly Norm[];
    if (found.every(({ nodes }) => nodes.length === 0)) continue;
    const group = [...found.flatMap(({ nodes }) => nodes), concat];
    const joined = standIn({
      name: 'globalNorm, concat',
      kernel: kernelFor(found.map(({ inputs }) => inputs.length)),
      nodes: group,
      inputs: [...found.flatMap(({ inputs }) => inputs), ...found.flatMap(({ zero = [] }) => zero)],
      outputs: concat.outputs,
    });
    joining.replace(group, [joined], 'last');
  }
  return joining.program();
}

interface Norm {
  /** What it is made by, and is left out where it is joined. */
  readonly nodes: readonly Node[];
  readonly inputs: readonly Tensor[];
  /** In place of one of nothing: the 0 that stands there. */
  readonly zero?: readonly Tensor[];
}

/** The norm that an input [1] of a concatenation is, under another shape; a rank that owns nothing of a parameter has a 0 there. */
function normOf(
  tensor: Tensor,
  concat: Node,
  makers: ReadonlyMap<Tensor, Node>,
  joining: Joining,
): Norm | undefined {
  const view = makers.get(tensor);
  if (view !== undefined && isZero(view)) return { nodes: [], inputs: [], zero: [tensor] };
  if (view === undefined || opOf(view).kind !== 'view') return undefined;
  const [value] = view.inputs;
  const norm = makers.get(value!);
  if (norm !== undefined && isZero(norm)) return { nodes: [], inputs: [], zero: [tensor] };
  if (joining.onlyReaderOf(tensor) !== concat) return undefined;
  const isPlain = norm?.inputs.every(({ dtype }) => bytesPerElement(dtype) === 4) ?? false;
  return norm?.op === globalNormOp && isPlain && joining.onlyReaderOf(value!) === view
    ? { nodes: [norm, view], inputs: norm.inputs }
    : undefined;
}

function isZero(node: Node): boolean {
  return opOf(node).kind === 'constant' && [...node.values!].every((value) => value === 0);
}
