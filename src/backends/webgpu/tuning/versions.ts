// By what a choice is known to be of these kernels, and not of those of an earlier version: all shaders that a small program is made of.
import { attention, layerNorm, linear, mul, softmax, sum } from '../../../ops/index.ts';
import { isBuiltIn } from '../../../ops/registry.ts';
import { type Program, grad, lower, planMemory, trace } from '../../../program/index.ts';
import { contextApart, describe } from '../described.ts';
import type { Dispatch, Tuning } from '../dispatch.ts';
import { kernels } from '../kernels/index.ts';
import type { Matrices } from '../matrices.ts';
import { shaderText } from '../shader.ts';
import { type Form, type Work, fixedTuning, forms } from './work.ts';

/** Products, rows and attention, and their gradients. */
function smallProgram(): Program {
  const [tokens, width] = [512, 64];
  const traced = trace('kernels', (graph) => {
    const x = graph.input('x', [1, tokens, width]);
    const [w, b] = [graph.input('w', [3 * width, width]), graph.input('b', [width])];
    const y = softmax(attention(linear(layerNorm(x, b, b), w), 1));
    const [dx, dw, db] = grad(sum(mul(y, y)), [x, w, b]);
    return { dx: dx!, dw: dw!, db: db! };
  });
  return lower(traced, 'webgpu', (op) => isBuiltIn(op) && kernels.has(op.name));
}

/** Their shaders are versions, too, whatever matrices a device has. */
const exampleMatrices: Matrices = { largest: 32, shapes: [{ component: 'f32', M: 16, N: 16, K: 16 }] };

export type KernelVersions = Readonly<Record<Form, string>>;

let known: KernelVersions | undefined;

/** @returns for each form of work what changes with the shaders of any of its ways */
export function kernelVersions(): KernelVersions {
  return (known ??= findVersions());
}

function findVersions(): KernelVersions {
  const program = smallProgram();
  const plan = planMemory(program);
  const made = (tuning: Tuning): Dispatch[] =>
    describe(program, contextApart(plan, tuning)).flatMap(({ dispatches }) => dispatches);
  const usual = { lanes: 64, products: 'tiled', matrices: exampleMatrices } as const;
  const names = new Map<Form, Set<string>>(forms.map((form) => [form, new Set()]));
  made({
    ...usual,
    wayOf<W>({ form, ways, usual: name }: Work<W>): W {
      for (const each of Object.keys(ways)) names.get(form)!.add(each);
      return ways[name]!;
    },
  });
  const versions = forms.map((form): [Form, string] => {
    // Most of the program is the same by all ways.
    const different = new Map<string, Dispatch>();
    for (const way of names.get(form)!)
      for (const dispatch of made(fixedTuning({ ...usual, ways: { [form]: way } })))
        different.set(dispatch.code, dispatch);
    return [form, digest(Array.from(different.values(), textOf).join('\n'))];
  });
  return Object.fromEntries(versions) as KernelVersions;
}

function textOf(dispatch: Dispatch): string {
  const areWritable = dispatch.arguments.map(() => true);
  return shaderText(dispatch, areWritable) + (dispatch.bySubgroups?.code ?? '');
}

/** Two hashes of 32 bits, each by multiplication of what is mixed in letter by letter (FNV-1a). */
function digest(text: string): string {
  let [a, b] = [0x811c9dc5, 0xcbf29ce4];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
}
