import { describe, expect, it } from 'vitest';
import type { Shape } from '../../src/tensor/shape.ts';
import { lerpAssign } from '../../src/ops/index.ts';
import { optimizerOf } from '../../src/optim/optimizer.ts';
import { trace } from '../../src/program/index.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { optimizersOf } from '../../src/train/run-program.ts';
import { stepInputs } from '../../src/train/step-inputs.ts';
import { float32Backends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { tinyStripes } from '../support/tiny-run.ts';
import { updateScalars } from '../support/update.ts';

const shape: Shape = [37];
const steps = 500;

describe.each([0.99, 0.99999, 0.999999])('an average of decay %d', (decay) => {
  for (const { label, create, skip } of float32Backends()) {
    it.skipIf(skip !== undefined)(
      `takes up what it should, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const backend = create();
        const config = resolveConfig({ ...tinyStripes, ema: { decay, ramp: false } });
        const program = trace('update', (graph) => {
          const [param, m, v, ema] = ['param', 'm', 'v', 'ema'].map((name) => graph.stateful(name, shape));
          const scalars = updateScalars(graph);
          const updated = { param: param!, grad: graph.input('grad', shape), slots: { m: m!, v: v! } };
          optimizerOf(optimizersOf(config.optimizer), { name: 'param', shape }).update(updated, scalars);
          lerpAssign(ema!, param!, graph.input('emaWeight', []), scalars.counts);
          return {};
        });
        const buffers = new Map(program.state.map((tensor) => [tensor.name!, backend.allocate(tensor)]));
        const [param, ema] = [buffers.get('param')!, buffers.get('ema')!];
        await param.write(Float32Array.from({ length: shape[0]! }, (_, i) => 1 + i / 7));
        const executable = await backend.compile(program, buffers);
        const wanted = new Float64Array(shape[0]!);
        for (let step = 1; step <= steps; step++) {
          const scalars = stepInputs(config, { step, update: step });
          const own = program.inputs.flatMap(({ name }) =>
            scalars[name!] ? [[name!, scalars[name!]!]] : [],
          );
          await executable.run({
            ...Object.fromEntries(own),
            grad: new Float32Array(shape[0]!).fill(Math.sin(step)),
            gradScale: Float32Array.of(1),
            counts: Int32Array.of(1),
          });
          const weights = await param.read();
          for (let i = 0; i < wanted.length; i++) wanted[i]! += (1 - decay) * (weights[i]! - wanted[i]!);
        }
        expect(relativeError(await ema.read(), wanted)).toBeLessThan(1e-5);
      },
    );
  }
});
