import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { VelocityModel } from '../../src/models/model.ts';
import { globalNorm, linear, meanSquaredError, mul } from '../../src/ops/index.ts';
import { Program, emulateFloat16, grad, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { fromHalfBits, toHalfBits } from '../../src/tensor/half.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { Node, Tensor } from '../../src/tensor/tensor.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { testBackends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { randomWeights, tinyDiT, tinyTextDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { outputsOf } from '../support/outputs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

const model = tinyDiT();
const program = gradientProgram({ task: velocityTask({ model, draw: givenDraw }), batch: 3 });
const batch = {
  x0: Float32Array.from(randomValues(3 * 192, 1)),
  x1: Float32Array.from(randomValues(3 * 192, 2)),
  t: Float32Array.of(0.2, 0.7, 0.9),
  step: Int32Array.of(1),
};
const labels = { labels: Int32Array.of(1, 3, 0) };
const captions = {
  tokens: Int32Array.from({ length: 3 * 5 }, (_, i) => (4 * i) % 9),
  length: Int32Array.of(5, 2, 0),
};

async function run(
  backend: Backend,
  what: Program,
  of: VelocityModel = model,
  told: Readonly<Record<string, Int32Array>> = labels,
): Promise<Map<string, HostArray>> {
  const executable = await backend.compile(what, await randomWeights(backend, of));
  await executable.run({ ...batch, ...told });
  return outputsOf(executable);
}

describe('emulateFloat16', () => {
  const emulated = emulateFloat16(program);
  const makers = new Map<Tensor, Node>(
    emulated.nodes.flatMap((node) => node.outputs.map((tensor) => [tensor, node] as const)),
  );
  const isHalf = (tensor: Tensor): boolean => {
    const maker = makers.get(tensor);
    if (maker?.op.name === 'reshape') return isHalf(maker.inputs[0]!);
    return maker?.op.name === 'roundToFloat16';
  };
  const inputsOf = (op: string): boolean[][] =>
    emulated.nodes.filter((node) => node.op.name === op).map(({ inputs }) => inputs.map(isHalf));

  it('gives products halves, and sums, norms and the residual stream float32', () => {
    // x, w and b, but for the two layers whose input is float32: the patches and the frequencies.
    const layers = inputsOf('linear').map((halves) => halves.join());
    expect(layers.filter((halves) => halves === 'true,true,false').length).toBeGreaterThanOrEqual(9);
    expect(new Set(layers)).toEqual(new Set(['true,true,false', 'false,false,false']));
    expect(inputsOf('attentionGrad')).toEqual([
      [true, true, false, true],
      [true, true, false, true],
    ]);
    for (const halves of inputsOf('layerNormModulate')) expect(halves).toEqual([false, false, false]);
    for (const [residual, branch] of inputsOf('gatedResidual')) {
      expect([residual, branch]).toEqual([false, true]);
    }
    for (const tensor of emulated.outputs.values()) expect(isHalf(tensor)).toBe(false);
  });

  it('holds numbers that float16 has', async () => {
    const held = emulated.nodes.filter(({ op }) => op.name === 'roundToFloat16');
    const outputs = held.map(({ outputs: [tensor] }, i) => [`held${i}`, tensor!] as const);
    const watched = new Program('watched', emulated, new Map(outputs));
    const results = await run(referenceBackend(), watched);
    expect(results.size).toBeGreaterThan(40);
    for (const values of results.values()) {
      expect(values).toEqual(fromHalfBits('float16', toHalfBits('float16', values)));
    }
  });

  it.each<[string, VelocityModel, Readonly<Record<string, Int32Array>>]>([
    ['labels', model, labels],
    ['captions', tinyTextDiT(), captions],
  ])('has the bits of a backend that stores float16, of a model of %s', async (_, of, told) => {
    const gradients = gradientProgram({ task: velocityTask({ model: of, draw: givenDraw }), batch: 3 });
    const stored = referenceBackend({ precision: 'fp16' });
    expect(String(stored.lower(gradients))).toContain(' float16 [');
    const wanted = await run(referenceBackend(), emulateFloat16(gradients), of, told);
    expect(await run(stored, gradients, of, told)).toEqual(wanted);
  });

  for (const { label, create, skip } of testBackends()) {
    it.skipIf(skip !== undefined)(
      `is near float32 on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const wanted = await run(create('fp32'), program);
        const got = await run(create('fp16'), program);
        expect(got.get('loss')![0]).not.toBe(wanted.get('loss')![0]);
        expect(got.get('loss')![0]! / wanted.get('loss')![0]!).toBeCloseTo(1, 2);
        for (const [name, values] of wanted)
          expect(relativeError(got.get(name)!, values), `error of ${name}`).toBeLessThan(1e-2);
      },
    );
  }
});

describe('a scaled loss', () => {
  const [rows, width] = [64, 8];
  /** Two layers whose gradients between them are too small for float16. */
  const scaled = trace('scaled', (graph) => {
    const x = graph.input('x', [rows, width]);
    const [w1, w2] = [graph.input('w1', [width, width]), graph.input('w2', [width, width])];
    const loss = meanSquaredError(linear(linear(x, w1), w2), graph.input('target', [rows, width]));
    const gradients = grad(mul(loss, graph.input('lossScale', [])), [w1, w2]);
    return { dw: gradients[0]!, gradNorm: globalNorm(gradients) };
  });
  const values = Object.fromEntries(
    scaled.inputs.map(({ name, shape }, i) => [
      name!,
      Float32Array.from(randomValues(sizeOf(shape), i), (value) => (i < 2 ? value : 3e-4 * value)),
    ]),
  );

  const gradientsOf = async (backend: Backend, lossScale: number): Promise<[HostArray, number]> => {
    const executable = await backend.compile(scaled, new Map());
    await executable.run({ ...values, lossScale: Float32Array.of(lossScale) });
    return [(await executable.read(['dw'])).dw, (await executable.read(['gradNorm'])).gradNorm[0]!];
  };

  for (const { label, create, skip } of testBackends()) {
    it.skipIf(skip !== undefined)(
      `keeps small gradients, and overflows to a norm that is not finite, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const [wanted] = await gradientsOf(create('fp32'), 1);
        const [lost] = await gradientsOf(create('fp16'), 1);
        expect(lost.every((value) => value === 0)).toBe(true);
        const [kept, norm] = await gradientsOf(create('fp16'), 65536);
        expect(Number.isFinite(norm)).toBe(true);
        expect(
          relativeError(
            kept.map((value) => value / 65536),
            wanted,
          ),
        ).toBeLessThan(5e-3);
        const [, overflown] = await gradientsOf(create('fp16'), 2 ** 60);
        expect(Number.isFinite(overflown)).toBe(false);
      },
    );
  }
});
