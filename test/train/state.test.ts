import { expect, it } from 'vitest';
import { allocateState, initializeState } from '../../src/train/state.ts';
import { trainingStepProgram } from '../../src/train/step.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import { float32Backends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { initialValues, tinyDiT } from '../support/models.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';

const model = tinyDiT();
const program = trainingStepProgram({
  task: velocityTask({ model, draw: givenDraw }),
  batch: 2,
  optimizers: adamwGroups(adamwDefaults),
});

for (const { label, create, skip } of float32Backends()) {
  it.skipIf(skip !== undefined)(
    `new weights, their averages and moments on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
    async () => {
      const backend = create();
      const buffers = allocateState(backend, program);
      await initializeState(backend, model, buffers, 5);
      for (const spec of model.parameters) {
        const values = await buffers.get(spec.name)!.read();
        const error = relativeError(values, await initialValues(spec, 5));
        expect({ name: spec.name, isClose: error < 1e-6 }).toEqual({ name: spec.name, isClose: true });
        expect(await buffers.get(`ema/${spec.name}`)!.read()).toEqual(values);
        for (const prefix of ['adamw.m/', 'adamw.v/'])
          expect((await buffers.get(prefix + spec.name)!.read()).every((value) => value === 0)).toBe(true);
      }
    },
  );
}
