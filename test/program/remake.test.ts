import { describe, expect, it } from 'vitest';
import type { Backend, Precision } from '../../src/backends/backend.ts';
import { DiT } from '../../src/models/dit.ts';
import {
  activationGrad,
  assign,
  layerNormModulate,
  linear,
  linearGradParamsOp,
  reshape,
  square,
  sum,
} from '../../src/ops/index.ts';
import { apply } from '../../src/ops/op.ts';
import { type Program, grad, planMemory, trace } from '../../src/program/index.ts';
import { remake } from '../../src/program/remake.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { Graph, Tensor } from '../../src/tensor/tensor.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { gradientProgram } from '../../src/train/loss.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { testBackends } from '../support/backends.ts';
import { randomValues } from '../support/random.ts';

const gradientsIn = ({ nodes }: Program): string[] =>
  nodes
    .filter(({ op }) => op.name === 'linearGradParams')
    .map(({ inputs, attributes: { activation } }) => `${inputs.length} inputs, activation ${activation}`);

/** A norm, its modulation and two layers with an activation between them. */
function layers(
  graph: Graph,
  activation: 'gelu' | 'silu',
): Record<'x' | 'normed' | 'hidden' | 'y' | 'w1' | 'w2' | 'b1' | 'scale', Tensor> {
  const [B, N, D] = [3, 37, 33];
  const x = graph.input('x', [B, N, D]);
  const scale = graph.input('scale', [B, D]);
  const normed = layerNormModulate(x, graph.input('shift', [B, D]), scale);
  const [w1, b1] = [graph.input('w1', [2 * D + 1, D]), graph.input('b1', [2 * D + 1])];
  const hidden = linear(normed, w1, b1, activation);
  const w2 = graph.input('w2', [D, 2 * D + 1]);
  return { x, normed, hidden, y: linear(hidden, w2), w1, w2, b1, scale };
}

/** @param isRead whether what could be made again is read once more when all is done, so that it has to be kept */
function training(activation: 'gelu' | 'silu', isRead: boolean): Program {
  return trace('training', (graph) => {
    const { x, normed, hidden, y, w1, w2, b1, scale } = layers(graph, activation);
    const wrt = { dx: x, dw1: w1, dw2: w2, db1: b1, dscale: scale };
    const gradients = grad(sum(square(y)), Object.values(wrt));
    const named = Object.fromEntries(Object.keys(wrt).map((name, i) => [name, gradients[i]!]));
    return isRead ? { ...named, again: linear(normed, w1), more: linear(hidden, w2) } : named;
  });
}

async function results(backend: Backend, program: Program): Promise<Record<string, HostArray>> {
  const executable = await backend.compile(program, new Map());
  await executable.run(
    Object.fromEntries(
      program.inputs.map(({ name, shape }, i) => [name!, Float32Array.from(randomValues(sizeOf(shape), i))]),
    ),
  );
  return executable.read([...program.outputs.keys()]);
}

describe('what is made again', () => {
  for (const { label, create, skip } of testBackends()) {
    it
      .skipIf(skip !== undefined)
      .each(
        (['fp32', 'bf16', 'fp16'] as const).flatMap((precision) =>
          (['gelu', 'silu'] as const).map((activation) => [precision, activation] as const),
        ),
      )(
      `has the bits of what was kept on ${label} in %s with %s${skip ? ` (skipped: ${skip})` : ''}`,
      async (precision, activation) => {
        const backend = create(precision);
        const again = await results(backend, training(activation, false));
        const kept = await results(backend, training(activation, true));
        expect(again).toEqual(Object.fromEntries(Object.keys(again).map((name) => [name, kept[name]])));
      },
    );
  }
});

describe('remake', () => {
  it('lets gradients of parameters read what is kept anyway', () => {
    const again = gradientsIn(remake(training('gelu', false)));
    expect(again).toEqual(['2 inputs, activation 1', '4 inputs, activation 0']);
    expect(gradientsIn(remake(training('silu', false)))).toContain('2 inputs, activation 2');
  });

  it('leaves alone what has to be kept for another reader, or for the host', () => {
    const plain = ['2 inputs, activation 0', '2 inputs, activation 0'];
    expect(gradientsIn(remake(training('gelu', true)))).toEqual(plain);
    const read = trace('read', (graph) => {
      const { normed, hidden, y, w1, w2 } = layers(graph, 'gelu');
      const [dw1, dw2] = grad(sum(y), [w1, w2]);
      return { dw1: dw1!, dw2: dw2!, normed, hidden: reshape(hidden, [3 * 37, 67]) };
    });
    expect(gradientsIn(remake(read))).toEqual(plain);
  });

  const gradient = (x: Tensor, dy: Tensor): Tensor =>
    apply(linearGradParamsOp, [x, dy], { activation: 0 })[0]!;

  it('keeps no source for it that would be gone', () => {
    const program = trace('gone', (graph) => {
      const dy = graph.input('dy', [8, 3]);
      const z = linear(graph.input('x', [8, 4]), graph.input('w', [5, 4]), undefined, 'gelu');
      return { dw: gradient(z, dy) };
    });
    expect(gradientsIn(remake(program))).toEqual(['2 inputs, activation 0']);
    const { x, y, others } = { x: [2, 8, 4], y: [2, 8, 3], others: [2, 4] };
    const norm = trace('norm', (graph) => {
      const normed = layerNormModulate(
        graph.input('x', x),
        graph.input('a', others),
        graph.input('b', others),
      );
      return { dw: gradient(normed, graph.input('dy', y)) };
    });
    expect(gradientsIn(remake(norm))).toEqual(['2 inputs, activation 0']);
  });

  it.each([
    ['as it is', false, false],
    ['under another shape', true, false],
    ['and is read under another shape', false, true],
  ])('reads nothing that has changed since, %s', (_, isChangedAsView, isReadAsView) => {
    const build = (changes: boolean): Program =>
      trace('changed', (graph) => {
        const scale = graph.stateful('scale', isReadAsView ? [8] : [2, 4]);
        const modulation = reshape(scale, [2, 4]);
        const normed = layerNormModulate(
          graph.input('x', [2, 8, 4]),
          graph.input('shift', [2, 4]),
          modulation,
        );
        const w = graph.input('w', [3, 4]);
        const y = linear(normed, w);
        const target = isChangedAsView ? reshape(scale, [8]) : scale;
        if (changes) assign(target, graph.input('new', target.shape));
        const [dw, dx] = grad(sum(square(y)), [w, graph.inputs[0]!]);
        return { dw: dw!, dx: dx! };
      });
    expect(gradientsIn(remake(build(false)))).toEqual(['4 inputs, activation 0']);
    expect(gradientsIn(remake(build(true)))).toEqual(['2 inputs, activation 0']);
  });

  it('serves several readers of one value, but only those after its last other reader', () => {
    const build = (late: boolean): Program =>
      trace('several', (graph) => {
        const dy = graph.input('dy', [8, 5]);
        const y = linear(graph.input('x', [8, 4]), graph.input('w', [5, 4]), undefined, 'gelu');
        const { inputs, outputs } = graph.nodes.at(-1)!;
        expect(inputs).toHaveLength(2);
        const first = gradient(y, dy);
        const read = late ? square(y) : dy;
        const second = gradient(y, dy);
        return { first, second, read: sum(read), dz: activationGrad(dy, outputs[1]!, { activation: 1 }) };
      });
    const [again, plain] = ['2 inputs, activation 1', '2 inputs, activation 0'];
    expect(gradientsIn(remake(build(false)))).toEqual([again, again]);
    expect(gradientsIn(remake(build(true)))).toEqual([plain, again]);
  });
});

describe("a DiT's planned memory", () => {
  const sizes = { width: 64, depth: 8, heads: 4, patchSize: 2, channels: 3, classes: 0 };
  const [batch, tokens] = [16, 256];
  const program = gradientProgram({
    task: velocityTask({ model: new DiT({ ...sizes, imageSize: [32, 32] }), draw: givenDraw }),
    batch,
  });

  for (const { label, create, skip } of testBackends().filter((each) => each.label !== 'reference')) {
    it.skipIf(skip !== undefined).each<[Precision, number]>([
      ['fp32', 4],
      ['bf16', 2],
    ])(`holds twelve times the tokens for each block on ${label} in %s`, (precision, bytes) => {
      const { arenaBytes } = planMemory(create(precision).lower(program));
      const tokensBytes = batch * tokens * sizes.width * bytes;
      // qkv 3, attention 1, the branches 2, the norms 2, the MLP's hidden layer 4; what one block holds for itself comes on top.
      expect(arenaBytes / tokensBytes / sizes.depth).toBeLessThan(13.5);
    });
  }
});
