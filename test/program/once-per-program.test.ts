import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { neg } from '../../src/ops/index.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import { planMemory, trace } from '../../src/program/index.ts';
import { givenDraw } from '../../src/train/draw.ts';
import { StepPrograms, allPrograms } from '../../src/train/step-programs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { tinyDiT } from '../support/models.ts';

it('a program is lowered and planned once', () => {
  const backend = referenceBackend();
  const program = trace('twice', (graph) => ({ y: neg(graph.input('x', [3])) }));
  const lowered = backend.lower(program);
  expect(backend.lower(program)).toBe(lowered);
  expect(planMemory(lowered)).toBe(planMemory(lowered));
  expect(referenceBackend().lower(program)).not.toBe(lowered);
});

it('a step is traced once for each shape, and each way of dividing it', () => {
  const task = velocityTask({ model: tinyDiT(), draw: givenDraw });
  const programs = new StepPrograms({ task, batch: 4, optimizers: adamwGroups(adamwDefaults) });
  const whole = programs.of(4);
  expect(allPrograms(whole)).toHaveLength(1);
  expect(programs.of(7)).toBe(whole);
  expect(programs.of(4, task.sampleShape)).toBe(whole);
  expect(allPrograms(programs.of(2))).toHaveLength(2);
  expect(programs.of(2)).toBe(programs.of(2));
  const [channels] = task.sampleShape;
  expect(programs.of(4, [channels!, 16, 16])).not.toBe(whole);
});
