// The gradients of the linear layers that make the modulation of all blocks: of their weights one product, of what they read another, over
// the parts that blocks have left when the backward pass is through with them.
import { activations } from '../../../ops/activations.ts';
import { addOp } from '../../../ops/elementwise.ts';
import { linearGradInputOp, linearGradParamsOp } from '../../../ops/linear.ts';
import { concatOp } from '../../../ops/slice.ts';
import { type Program, isWork } from '../../../program/index.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import type { Dispatch, KernelContext, Kernel, Scratch } from '../dispatch.ts';
import { finish } from '../products/finish.ts';
import { type Factor, type Product, termsOfSum } from '../products/product.ts';
import { directShapes, productWork } from '../products/ways.ts';
import { inOneBuffer, tableNumber, tableOf } from '../stretches.ts';
import { Joining, standIn } from './joined.ts';
import { inRuns } from './modulations.ts';

/** A layer, its parts [B, D] being among those of all. */
interface Layer {
  readonly first: number;
  readonly count: number;
  /** [count D, K] */
  readonly w: Tensor;
}

interface Extents {
  readonly B: number;
  readonly D: number;
  readonly K: number;
  readonly parts: number;
}

/** Gradients of these have parts that begin where memory may be bound, and are worth no product of their own. */
const partMultiple = 64;
const mostElements = 2 ** 22;
/** For products of few rows. */
const few = directShapes['direct 32x16']!;

/** x [B, K], the parts [B, D] of all layers, w of each -> dx [B, K], then dw and db of each. */
function kernelFor(counts: readonly number[]): Kernel {
  return ({ inputs, outputs }, context) => {
    const parts = counts.reduce((sum, count) => sum + count, 0);
    const [x, ...others] = inputs as [Tensor, ...Tensor[]];
    const [gradients, weights] = [others.slice(0, parts), others.slice(parts)];
    const [dx, ...params] = outputs as [Tensor, ...Tensor[]];
    let first = 0;
    const layers = weights.map((w, i): Layer => {
      first += counts[i]!;
      return { w, first: first - counts[i]!, count: counts[i]! };
    });
    const [B, K] = x.shape as [number, number];
    const all = { layers, gradients, extents: { B, D: gradients[0]!.shape[1]!, K, parts } };
    return [...ofParams(x, params, all, context), ...ofInput(dx, all, context)];
  };
}

interface All {
  readonly layers: readonly Layer[];
  readonly gradients: readonly Tensor[];
  readonly extents: Extents;
}

/** dw [parts D, K] of all layers, one under the other, and db. */
function ofParams(
  x: Tensor,
  params: readonly Tensor[],
  { layers, gradients, extents }: All,
  context: KernelContext,
): Dispatch[] {
  const { B, D, K, parts } = extents;
  const { operand, elements, starts } = inOneBuffer(gradients, context.stretches);
  const a: Factor = {
    operand,
    contiguous: 'other',
    ofK: 'return vec3i(i32(k * u.D), 0, 0);',
    ofOther: 'return vec3i(i32(tableNumber(other / u.D) + other % u.D), 0, 0);',
    element: 'return a(u32(k.x + other.x));',
  };
  const b: Factor = { operand: x, contiguous: 'other', stride: K };
  const sums: Scratch = { scratch: 'product', elements: parts * D * K };
  const ofRows: Scratch = { scratch: 'product rows', elements: parts * D };
  const whole: Product = {
    M: parts * D,
    N: K,
    K: B,
    a,
    b,
    reads: [{ name: 'table', operand: tableOf(starts) }],
    sizes: { D },
    outputs: [{ name: 'sums', tensor: params[0]!, value: 'v' }],
  };
  const way = context.tuning.wayOf(productWork(whole, context.tuning));
  const made = way.make({
    ...whole,
    targets: [{ name: 'sums', operand: sums, value: 'v' }],
    rowSums: ofRows,
    parts: 1,
    perPart: Math.ceil(B / termsOfSum) * termsOfSum,
  });
  const finished = layers.map(({ first, count }, i) => {
    const given: Product = {
      M: count * D,
      N: K,
      K: B,
      a,
      b,
      outputs: [{ name: 'dw', tensor: params[2 * i]!, value: 'v' }],
      rowSums: params[2 * i + 1]!,
    };
    return finish(given, {
      sums: { ...sums, start: first * D * K, elements: count * D * K },
      ofRows: { ...ofRows, start: first * D, elements: count * D },
      parts: 1,
    });
  });
  return [lookingUp(made, { a: elements }), ...finished];
}

/** dx [B, K]: each part by itself, then their sum. Layers whose weights lie in one buffer are one dispatch. */
function ofInput(dx: Tensor, { layers, gradients, extents }: All, context: KernelContext): Dispatch[] {
  const { B, D, K, parts } = extents;
  const { operand, elements, starts } = inOneBuffer(gradients, context.stretches);
  const sums: Scratch = { scratch: 'parts of an input', elements: parts * B * K };
  const a: Factor = {
    operand,
    contiguous: 'k',
    ofK: 'return vec3i(i32(tableNumber(k / u.D - u.firstPart) + k % u.D), 0, 0);',
    ofOther: 'return vec3i(i32(other * u.D), 0, 0);',
    element: 'return a(u32(k.x + other.x));',
  };
  const weightsOf = (run: readonly Layer[]): Tensor[] => run.map(({ w }) => w);
  const runs = inRuns(layers, (run) => context.stretches(weightsOf(run)).length === 1);
  const made = runs.map((run): Dispatch => {
    const weights = inOneBuffer(weightsOf(run), context.stretches);
    const firstPart = run[0]!.first;
    const count = run.reduce((sum, layer) => sum + layer.count, 0);
    const ofWeights = run.flatMap((layer, i) =>
      Array.from({ length: layer.count }, (_, part) => weights.starts[i]! + part * D * K),
    );
    const b: Factor = {
      operand: weights.operand,
      contiguous: 'other',
      ofK: 'return vec3i(i32(tableNumber(u.partsHere + k / u.D - u.firstPart) + k % u.D * u.N), 0, 0);',
      ofOther: 'return vec3i(i32(other), 0, 0);',
      element: 'return b(u32(k.x + other.x));',
    };
    const dispatch = few.make({
      M: B,
      N: K,
      K: parts * D,
      a,
      b,
      reads: [
        {
          name: 'table',
          operand: tableOf([...starts.slice(firstPart, firstPart + count), ...ofWeights]),
        },
      ],
      sizes: { D, firstPart, partsHere: count },
      targets: [{ name: 'sums', operand: sums, value: 'v' }],
      parts,
      perPart: D,
    });
    const { groups, sizes } = dispatch;
    return lookingUp(
      { ...dispatch, groups: [groups[0], groups[1], count], sizes: { ...sizes, firstZ: firstPart } },
      { a: elements, b: weights.elements },
    );
  });
  const given: Product = {
    M: B,
    N: K,
    K: parts * D,
    a,
    b: a,
    outputs: [{ name: 'dx', tensor: dx, value: 'v' }],
  };
  // It is read right away: not a sum for later.
  const { sums: _, ...sum } = finish(given, { sums, ofRows: undefined, parts });
  return [...made, sum];
}

/** A product with the table that its factors are looked up by, and as much of their memory as they lie in. */
function lookingUp(dispatch: Dispatch, elements: Readonly<Record<string, number>>): Dispatch {
  return {
    ...dispatch,
    code: `${tableNumber}\n${dispatch.code}`,
    arguments: dispatch.arguments.map((argument) =>
      argument.name in elements ? { ...argument, elements: elements[argument.name]! } : argument,
    ),
    sizes: { firstX: 0, firstY: 0, firstZ: 0, ...dispatch.sizes },
  };
}

interface Gradient {
  readonly concat: Node;
  readonly params: Node;
  readonly input: Node;
}

export function joinModulationGradients(program: Program): Program {
  const joining = new Joining(program);
  const makers = new Map(
    program.nodes.flatMap((node) => node.outputs.map((tensor) => [tensor, node] as const)),
  );
  const groups = new Map<Tensor, Gradient[]>();
  for (const concat of program.nodes) {
    const gradient = gradientOf(concat, joining, makers);
    if (gradient === undefined) continue;
    const x = gradient.params.inputs[0]!;
    const others = groups.get(x) ?? [];
    const isAlike = others.length === 0 || widthOf(others[0]!) === widthOf(gradient);
    if (isAlike) groups.set(x, [...others, gradient]);
  }
  for (const [x, gradients] of groups) if (gradients.length > 1) joinGradients(x, gradients, joining);
  return joining.program();
}

const widthOf = ({ concat }: Gradient): number => concat.inputs[0]!.shape[1]!;

function gradientOf(concat: Node, joining: Joining, makers: ReadonlyMap<Tensor, Node>): Gradient | undefined {
  if (concat.op !== concatOp || concat.attributes['axis'] !== 1) return undefined;
  const [whole, parts] = [concat.outputs[0]!, concat.inputs];
  const readers = joining.readersOf(whole);
  const params = readers.find(({ op, inputs }) => op === linearGradParamsOp && inputs[1] === whole);
  const input = readers.find(({ op, inputs }) => op === linearGradInputOp && inputs[0] === whole);
  if (!params || !input || readers.length !== 2 || joining.isOutput(whole)) return undefined;
  const isPlain = [params, input].every(
    ({ inputs, attributes }) => inputs.length === 2 && attributes['activation'] === activations.none,
  );
  const all = [...parts, ...params.inputs, ...input.inputs];
  const [, w] = input.inputs;
  const D = parts[0]!.shape[1]!;
  const isRegular =
    parts.every(({ shape }) => shape.length === 2 && shape[1] === D) &&
    D % partMultiple === 0 &&
    all.every(({ dtype }) => dtype === 'float32') &&
    w!.origin === 'state' &&
    !params.inputs[0]!.shape.includes(0);
  // They are to have places of their own, one behind the other.
  const areMade = parts.every((part) => {
    const maker = makers.get(part);
    return maker !== undefined && isWork(maker) && !joining.isOutput(part);
  });
  return isPlain && isRegular && areMade && new Set(parts).size === parts.length
    ? { concat, params, input }
    : undefined;
}

function joinGradients(x: Tensor, gradients: readonly Gradient[], joining: Joining): void {
  const total = totalOf(
    gradients.map(({ input }) => input.outputs[0]!),
    joining,
  );
  const parts = gradients.flatMap(({ concat }) => concat.inputs);
  const [B, K] = x.shape as [number, number];
  const D = parts[0]!.shape[1]!;
  const elements = parts.length * Math.max(D * K, B * K, B * D);
  const isShared = new Set(parts).size < parts.length;
  if (total === undefined || isShared || elements > mostElements) return;
  const group = [...gradients.flatMap(({ concat, params, input }) => [concat, params, input]), ...total.adds];
  const order = new Map(joining.nodes.map((node, i) => [node, i]));
  const nodes = group.toSorted((a, b) => order.get(a)! - order.get(b)!);
  const joined = standIn({
    name: 'concat, linearGradParams, linearGradInput',
    kernel: kernelFor(gradients.map(({ concat }) => concat.inputs.length)),
    together: [parts],
    nodes,
    inputs: [x, ...parts, ...gradients.map(({ input }) => input.inputs[1]!)],
    outputs: [total.sum, ...gradients.flatMap(({ params }) => params.outputs)],
  });
  joining.replace(nodes, [joined], 'last');
}

/** What values are added up to by nodes that nobody else reads; undefined where they are not, all of them. */
function totalOf(
  values: readonly Tensor[],
  joining: Joining,
): { readonly sum: Tensor; readonly adds: readonly Node[] } | undefined {
  const open = new Set(values);
  const adds: Node[] = [];
  for (const node of joining.nodes) {
    const [a, b] = node.inputs;
    if (node.op !== addOp || a === b || !open.has(a!) || !open.has(b!)) continue;
    if (node.inputs.some((tensor) => joining.onlyReaderOf(tensor) !== node)) continue;
    adds.push(node);
    open.delete(a!);
    open.delete(b!);
    open.add(node.outputs[0]!);
  }
  const [sum] = open;
  return sum !== undefined && open.size === 1 ? { sum, adds } : undefined;
}
