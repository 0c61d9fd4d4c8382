// LightningDiT that its own code ran in float64: ../shared/golden/dit-modern-tiny/README.md.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/formats/safetensors-file.ts';
import { DiT } from '../../src/models/dit.ts';
import type { DiTConfig } from '../../src/models/dit-config.ts';
import { declareParameters } from '../../src/nn/parameters.ts';
import { meanSquaredError } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { allocateState } from '../../src/train/state.ts';
import { testBackends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { numbers } from '../support/golden.ts';
import { outputsOf } from '../support/outputs.ts';

const folder = fileURLToPath(new URL('../../../shared/golden/dit-modern-tiny/', import.meta.url));
const absent = !existsSync(folder);
const sizes = { heads: 2, patchSize: 2, channels: 4, imageSize: [8, 8], classes: 4, timeScale: 1 } as const;
const batch = 4;
const variants: readonly [folder: string, config: DiTConfig][] = [
  ['', { ...sizes, width: 48, depth: 2, norm: 'rms', qkNorm: 'rms', mlp: 'swiglu', rotary: true }],
  ['layernorm/', { ...sizes, width: 32, depth: 1, qkNorm: 'layer', rotary: true, shifts: false }],
];

for (const { label, create, skip } of testBackends()) {
  describe.skipIf(absent || skip !== undefined)(
    `LightningDiT on ${label}${absent ? ' (no ../shared)' : ''}`,
    () => {
      it.each(variants)('%s has the same velocity, loss and gradients', async (variant, config) => {
        const [{ tensors: weights }, { tensors: step }] = await Promise.all([
          readSafetensors(`${folder}${variant}model.safetensors`),
          readSafetensors(`${folder}${variant}step.safetensors`),
        ]);
        const model = new DiT(config);
        const program = trace('step', (graph) => {
          const params = declareParameters(graph, model.parameters);
          const x = graph.input('x', [batch, ...model.sampleShape]);
          const labels = graph.input('labels', [batch], 'int32');
          const velocity = model.velocity(params, x, graph.input('t', [batch]), { labels });
          const loss = meanSquaredError(velocity, graph.input('target', x.shape));
          const names = model.parameters.map(({ name }) => name);
          const gradients = grad(
            loss,
            names.map((name) => params(name)),
          );
          return {
            velocity,
            loss,
            ...Object.fromEntries(names.map((name, i) => [`grad.${name}`, gradients[i]!])),
          };
        });
        const backend = create();
        const buffers = allocateState(backend, program);
        for (const { name, shape } of model.parameters) {
          expect(weights.get(name)?.shape, name).toEqual(shape);
          await buffers.get(name)!.write(numbers(weights, name));
        }
        const executable = await backend.compile(program, buffers);
        await executable.run({
          x: numbers(step, 'x'),
          t: numbers(step, 't'),
          labels: numbers(step, 'y'),
          target: numbers(step, 'target'),
        });
        const outputs = await outputsOf(executable);
        expect(outputs.size).toBe(model.parameters.length + 2);
        for (const [name, values] of outputs) {
          const tolerance = name.startsWith('grad.') ? 1e-4 : 1e-5;
          expect(relativeError(values, numbers(step, name)), name).toBeLessThan(tolerance);
        }
      });
    },
  );
}
