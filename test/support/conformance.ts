import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { mul, sum, add, cast } from '../../src/ops/index.ts';
import { type Hiding, type Op, mutatedInputs } from '../../src/ops/op.ts';
import { type OpName, ops } from '../../src/ops/registry.ts';
import { type Program, grad, lowPrecisionOf, trace } from '../../src/program/index.ts';
import type { Half, HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { Attributes, Graph, Tensor, TensorType } from '../../src/tensor/tensor.ts';
import { type TestBackend, bothHalves, float32Backends } from './backends.ts';
import { type Run, type Values, nonFiniteCheck } from './non-finite.ts';
import { randomValues } from './random.ts';
import { outputsOf } from './outputs.ts';

/** An argument of an op in a test: a shape, and values that default to uniform ones in [-1, 1). */
export interface Argument {
  readonly shape: readonly number[];
  readonly dtype?: 'float32' | 'int32';
  /** Element i of the argument, from a uniform number in [-1, 1). */
  readonly value?: (uniform: number, i: number) => number;
}

export interface Case {
  readonly inputs: readonly Argument[];
  readonly attributes?: Attributes;
  /** What the size is for is nothing that WebGPU's kernels have: their shaders take long to compile. */
  readonly isOfProcessors?: boolean;
}

export interface Tolerances {
  /** Norm of the difference over norm, float32 against the reference in float64. */
  readonly fp32?: number;
  /** The same with everything in bfloat16 that may be. In float16, which has three binary digits more, an eighth of it. */
  readonly bf16?: number;
  /** Outputs that a loss may depend on; all by default. Others (statistics kept for the backward pass) have no gradient. */
  readonly differentiable?: readonly number[];
  /** Inputs in which the outputs are steps: they have no gradient. */
  readonly steps?: readonly number[];
  /** What the op hides in these cases, where that is less than its definition says. */
  readonly hides?: readonly Hiding[];
}

/**
 * Shows that an op is what it says, on every backend and instruction set of this machine: its forward and backward pass
 * against the reference in float64 (for a fused op: against its decomposition), and its gradient against finite differences.
 */
export function conformance(
  name: OpName,
  cases: readonly Case[],
  tolerances: Tolerances = {},
  backends: readonly TestBackend[] = float32Backends(),
): void {
  const op = ops[name] as Op;
  const { fp32 = 2e-6, bf16 = 1e-2, differentiable, steps = [], hides } = tolerances;
  describe(name, () => {
    for (const [index, testCase] of cases.entries()) {
      const title = testCase.inputs.map(({ shape }) => `[${shape.join(', ')}]`).join(' ');
      const program = forward(op, testCase);
      const gradient = backward(op, testCase, differentiable, steps);
      if (gradient) {
        it(`${title} gradient against finite differences`, async () => {
          await checkGradient(gradient, testCase);
        });
      }
      const low = lowPrecisionForward(op, testCase, 'bfloat16');
      const [compareForward, compareGradient] = [program, gradient].map(
        (each) => each && comparison(each, testCase),
      );
      // The two types differ in how a number is converted alone: one case shows that, the others how work is shared out.
      const isOfBoth = index === 0 && low !== undefined && isSmall(low);
      const stored = low === undefined ? [] : isOfBoth ? bothHalves : bothHalves.slice(0, 1);
      const comparisons = stored.map((half) => ({
        half,
        compareHalf: comparison(lowPrecisionForward(op, testCase, half)!, testCase),
      }));
      const spoilt = [program, low].flatMap((each) => (each && isSmall(each) ? [each] : []));
      const checks = spoilt.map((each) => ({ each, check: nonFinite(op, each, testCase, hides) }));
      // The reference shares out no work: large cases are for the others, and would show nothing of it that small ones do not.
      const isLarge = !isSmall(gradient ?? program);
      for (const { label, create, skip, halves = ['bfloat16'] } of backends) {
        if (isLarge && label === 'reference') continue;
        if (testCase.isOfProcessors && label === 'webgpu') continue;
        it.skipIf(skip !== undefined)(
          `${title} on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
          async () => {
            await compareForward!(create(), fp32);
            await compareGradient?.(create(), 4 * fp32);
          },
        );
        // In float32 the reference is the code that says what is wanted.
        if (checks.length > 0 && label !== 'reference') {
          it.skipIf(skip !== undefined)(
            `${title} NaN and infinity on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
            async () => {
              const possible = checks.filter(({ each }) => each === program || halves.length > 0);
              for (const { each, check } of possible) await check(await compile(create(), each));
            },
          );
        }
        for (const { half, compareHalf } of comparisons) {
          if (!halves.includes(half)) continue;
          it.skipIf(skip !== undefined)(
            `${title} in ${half} on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
            async () => {
              await compareHalf(create(), half === 'bfloat16' ? bf16 : bf16 / 8);
            },
          );
        }
      }
    }
  });
}

/** The norm of the difference over the norm of what was wanted. */
export function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference += (got[i]! - wanted[i]!) ** 2;
    norm += wanted[i]! ** 2;
  }
  // A difference that is not a number must not pass as small.
  if (Number.isNaN(difference)) return Infinity;
  return Math.sqrt(difference) / Math.max(Math.sqrt(norm), 1e-30);
}

const typeOf = ({ shape, dtype = 'float32' }: Argument): TensorType => ({ shape, dtype });
const isFloat = ({ dtype }: { dtype?: string }): boolean => dtype !== 'int32';
const inputName = (i: number): string => `input${i}`;

/** What the op mutates must be state; everything else is fed. */
function declare(graph: Graph, op: Op, { inputs }: Case): Tensor[] {
  const mutated = mutatedInputs(op, inputs.length);
  return inputs.map(({ shape, dtype = 'float32' }, i) =>
    mutated.includes(i)
      ? graph.stateful(inputName(i), shape, dtype)
      : graph.input(inputName(i), shape, dtype),
  );
}

function record(op: Op, inputs: readonly Tensor[], { attributes = {} }: Case): Tensor[] {
  return inputs[0]!.graph.append(op, inputs, attributes);
}

function forward(op: Op, testCase: Case): Program {
  return trace('forward', (graph) => {
    const outputs = record(op, declare(graph, op, testCase), testCase);
    return Object.fromEntries(outputs.map((tensor, i) => [`output${i}`, tensor]));
  });
}

/** Inputs and outputs in half precision wherever the op can have them so; undefined where it cannot. */
function lowPrecisionForward(op: Op, testCase: Case, half: Half): Program | undefined {
  const rule = lowPrecisionOf(op, testCase.inputs.map(typeOf));
  if (rule === undefined) return undefined;
  return trace(half, (graph) => {
    const inputs = declare(graph, op, testCase).map((tensor, i) =>
      rule === 'same' || rule.inputs.includes(i) ? cast(tensor, half) : tensor,
    );
    const types = op.infer(inputs, testCase.attributes ?? {}).map(({ shape, dtype }, i) => ({
      shape,
      dtype: rule !== 'same' && rule.outputs.includes(i) ? half : dtype,
    }));
    const outputs = graph.append(op, inputs, testCase.attributes ?? {}, types);
    return Object.fromEntries(outputs.map((tensor, i) => [`output${i}`, cast(tensor, 'float32')]));
  });
}

/**
 * A loss that weights every output differently, and its gradient with respect to every floating input; undefined where the op
 * has no gradient or no floating output.
 */
function backward(
  op: Op,
  testCase: Case,
  differentiable: readonly number[] | undefined,
  steps: readonly number[],
): Program | undefined {
  const fixed = [...steps, ...mutatedInputs(op, testCase.inputs.length)];
  const isFixed = (i: number): boolean => fixed.includes(i);
  const wrt = testCase.inputs.flatMap((input, i) => (isFloat(input) && !isFixed(i) ? [i] : []));
  const types = op.infer(testCase.inputs.map(typeOf), testCase.attributes ?? {});
  const chosen = types.flatMap((type, i) =>
    isFloat(type) && (differentiable?.includes(i) ?? true) ? [i] : [],
  );
  if (wrt.length === 0 || chosen.length === 0 || !hasGradient(op)) return undefined;
  return trace('backward', (graph) => {
    const inputs = declare(graph, op, testCase);
    const outputs = record(op, inputs, testCase);
    const weighted = chosen.map((i) => sum(mul(outputs[i]!, graph.input(`weight${i}`, outputs[i]!.shape))));
    const loss = weighted.reduce(add);
    const gradients = grad(
      loss,
      wrt.map((i) => inputs[i]!),
    );
    return { loss, ...Object.fromEntries(gradients.map((tensor, i) => [`gradient${wrt[i]!}`, tensor])) };
  });
}

/** Gradient ops (`...Grad`), generators, steps and updates in place have no gradient of their own to check. */
function hasGradient(op: Op): boolean {
  if (op.vjp === undefined) return op.kind === 'fused' && !op.name.includes('Grad');
  return op.kind !== 'constant' && !/^(philox|less)/.test(op.name);
}

function valuesOf(program: Program, testCase: Case): Record<string, HostArray> {
  const values: Record<string, HostArray> = {};
  for (const tensor of [...program.inputs, ...program.state]) {
    const index = /^input(\d+)$/.exec(tensor.name!)?.[1];
    const argument = index === undefined ? undefined : testCase.inputs[Number(index)];
    const uniform = randomValues(sizeOf(tensor.shape), program.inputs.length + Number(index ?? 100));
    const numbers = argument?.value ? uniform.map(argument.value) : uniform;
    // All backends must see the same numbers, so they start as what float32 can hold.
    values[tensor.name!] = tensor.dtype === 'int32' ? new Int32Array(numbers) : new Float32Array(numbers);
  }
  return values;
}

async function compile(backend: Backend, program: Program): Promise<Run> {
  const buffers = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
  const executable = await backend.compile(program, buffers);
  return async (values) => {
    for (const [name, buffer] of buffers) await buffer.write(values[name]!);
    await executable.run(Object.fromEntries(program.inputs.map(({ name }) => [name!, values[name!]!])));
    const results = await outputsOf(executable);
    for (const [name, buffer] of buffers) results.set(name, await buffer.read());
    return results;
  };
}

/** Runs a program once; returns its outputs and the state after it. */
async function execute(backend: Backend, program: Program, values: Values): ReturnType<Run> {
  const run = await compile(backend, program);
  return run(values);
}

/** A comparison of any number of backends with the reference, which is asked once. */
function comparison(
  program: Program,
  testCase: Case,
): (backend: Backend, tolerance: number) => Promise<void> {
  const values = (): Values => valuesOf(program, testCase);
  let wanted: ReturnType<Run> | undefined;
  return async (backend, tolerance) => {
    wanted ??= execute(referenceBackend({ float: 'float64' }), program, values());
    const got = await execute(backend, program, values());
    for (const [name, numbers] of await wanted) {
      expect(relativeError(got.get(name)!, numbers), `relative error of ${name}`).toBeLessThanOrEqual(
        tolerance,
      );
    }
  };
}

/** Of more numbers the reference would be asked for too long, once for each bad one. */
const mostSpoilt = 100_000;

function isSmall({ inputs, state }: Program): boolean {
  return [...inputs, ...state].reduce((total, { shape }) => total + sizeOf(shape), 0) <= mostSpoilt;
}

function nonFinite(
  op: Op,
  program: Program,
  testCase: Case,
  hides = op.hides?.(testCase.attributes ?? {}) ?? [],
): (run: Run) => Promise<void> {
  const spoilable = { op, hides, inputs: testCase.inputs.map((_, i) => inputName(i)) };
  return nonFiniteCheck(spoilable, valuesOf(program, testCase), () =>
    compile(referenceBackend({ float: 'float64' }), program),
  );
}

/** Central differences in float64 along a random direction through all inputs. */
async function checkGradient(program: Program, testCase: Case): Promise<void> {
  const backend = referenceBackend({ float: 'float64' });
  const values = valuesOf(program, testCase);
  const results = await execute(backend, program, values);
  const step = 1e-6;
  const shifted: [Record<string, HostArray>, Record<string, HostArray>] = [{ ...values }, { ...values }];
  let along = 0;
  let size = 0;
  for (const [name, gradient] of results) {
    const index = /^gradient(\d+)$/.exec(name)?.[1];
    if (index === undefined) continue;
    const direction = randomValues(gradient.length, Number(index) + 7);
    const from = Float64Array.from(values[inputName(Number(index))]!);
    shifted[0][inputName(Number(index))] = from.map((x, i) => x + step * direction[i]!);
    shifted[1][inputName(Number(index))] = from.map((x, i) => x - step * direction[i]!);
    for (let i = 0; i < gradient.length; i++) {
      along += gradient[i]! * direction[i]!;
      size += (gradient[i]! * direction[i]!) ** 2;
    }
  }
  const [above, below] = await Promise.all(
    shifted.map(async (inputs) => (await execute(backend, program, inputs)).get('loss')![0]!),
  );
  const difference = (above! - below!) / (2 * step);
  expect(Math.abs(along - difference)).toBeLessThanOrEqual(1e-6 * Math.max(Math.sqrt(size), 1));
}
