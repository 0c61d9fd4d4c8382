// Networks of images on WebAssembly: by kernels of their own, in scratch memory that does not grow with the image.
import { expect, it } from 'vitest';
import { type WasmBackend, wasmBackendOf } from '../../../src/backends/wasm/index.ts';
import {
  conv2d,
  groupNorm,
  mul,
  relu,
  sum,
  type Conv2dOptions,
  upsampleNearest,
} from '../../../src/ops/index.ts';
import { type Program, grad, trace } from '../../../src/program/index.ts';
import type { HostArray } from '../../../src/tensor/dtype.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import { outputsOf } from '../../support/outputs.ts';
import { randomValues } from '../../support/random.ts';
import { testKernels } from '../../support/wasm.ts';

const opsOf = ({ nodes }: Program): Set<string> => new Set(nodes.map(({ op }) => op.name));
const channels = 4;

/** A network and its gradient, of images with `side` rows. */
function network(side: number): Program {
  return trace('network', (graph) => {
    const norm = (name: string) => graph.input(name, [channels]);
    const [x, w, v] = [
      graph.input('x', [2, 3, side, 35]),
      graph.input('w', [channels, 3, 3, 3]),
      graph.input('v', [2, channels, 1, 1]),
    ];
    const y = groupNorm(conv2d(x, w, norm('b'), { padding: 1 }), norm('scale'), norm('shift'), 2);
    // Windows that leave out pixels, whose gradient is 0.
    const z = conv2d(upsampleNearest(y), v, undefined, { stride: 3 });
    const [dx, dw, dv] = grad(sum(mul(z, z)), [x, w, v]);
    return { z, dx: dx!, dw: dw!, dv: dv! };
  });
}

function valuesOf({ inputs }: Program): Record<string, Float32Array> {
  return Object.fromEntries(
    inputs.map(({ name, shape }, i) => [name!, new Float32Array(randomValues(sizeOf(shape), i + 1))]),
  );
}

async function resultsOn(
  backend: WasmBackend,
  program: Program,
  values = valuesOf(program),
): Promise<Map<string, HostArray>> {
  const executable = await backend.compile(program, new Map());
  await executable.run(values);
  const results = await outputsOf(executable);
  await executable.dispose();
  return results;
}

it('no op of them is decomposed', () => {
  const lowered = opsOf(wasmBackendOf(testKernels()).lower(network(9)));
  const own = ['conv2d', 'conv2dGradInput', 'conv2dGradParams', 'groupNorm', 'groupNormGrad'];
  for (const name of [...own, 'upsampleNearest', 'upsampleNearestGrad']) expect(lowered).toContain(name);
  for (const name of ['transpose', 'concat', 'matmul']) expect(lowered).not.toContain(name);
});

it('their scratch memory has one bound', () => {
  const backend = wasmBackendOf(testKernels());
  const scratch = (side: number): number => backend.scratchBytes!(backend.lower(network(side)));
  expect(scratch(9)).toBe(scratch(1000));
  expect(scratch(9)).toBeLessThan(600 * 1024);
});

it('what memory held before is not seen', async () => {
  const [fresh, used] = [wasmBackendOf(testKernels()), wasmBackendOf(testKernels())];
  const wanted = await resultsOn(fresh, network(7));
  const large = network(30);
  const spoilt = Object.fromEntries(
    large.inputs.map(({ name, shape }) => [name!, new Float32Array(sizeOf(shape)).fill(NaN)]),
  );
  await resultsOn(used, large, spoilt);
  expect(await resultsOn(used, network(7))).toEqual(wanted);
  for (const numbers of wanted.values()) expect(numbers.every(Number.isFinite)).toBe(true);
});

it.each<Conv2dOptions>([{ padding: 1 }, { stride: 2 }])(
  'relu of a convolution, %o, is part of it',
  async (options) => {
    const build = (together: boolean): Program =>
      trace('layers', (graph) => {
        const z = conv2d(
          graph.input('x', [2, 40, 9, 11]),
          graph.input('w', [21, 40, 3, 3]),
          undefined,
          options,
        );
        const y = relu(z);
        // What a program is asked for has to be made.
        return together ? { y } : { y, z };
      });
    const backend = wasmBackendOf(testKernels());
    expect(opsOf(backend.lower(build(true)))).not.toContain('relu');
    expect(opsOf(backend.lower(build(false)))).toContain('relu');
    const [one, two] = [await resultsOn(backend, build(true)), await resultsOn(backend, build(false))];
    expect(one.get('y')).toEqual(two.get('y'));
  },
);
