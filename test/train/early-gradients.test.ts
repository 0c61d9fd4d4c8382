// The gradients of a step's last part are whole one after the other, while its backward pass runs: from the last block to the first.
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { labelCondition } from '../../src/models/model.ts';
import { type ActivationMemory, type Program, lastTouches } from '../../src/program/index.ts';
import { blockOf, blocksOf } from '../../src/train/blocks.ts';
import { randomDraw } from '../../src/train/draw.ts';
import { gradientTotal, partProgram } from '../../src/train/step.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { float32Backends } from '../support/backends.ts';
import { tinyDiT } from '../support/models.ts';

const depth = 6;
const model = tinyDiT({ depth });

function part(backend: Backend, memory: ActivationMemory): Program {
  const draw = randomDraw({
    seed: 3,
    times: { kind: 'uniform' },
    labelDropout: 0,
    conditions: labelCondition(3),
    globalBatch: 8,
  });
  return backend.lower(partProgram({ task: velocityTask({ model, draw }), batch: 8, shards: 4, memory }, 2));
}

/** The node after which all gradients of each block are whole, and that after which the first of them is, in the order of the latter. */
function timesOf(
  program: Program,
): { readonly block: string; readonly first: number; readonly last: number }[] {
  const touches = lastTouches(program);
  return blocksOf(model)
    .map((block) => {
      const own = model.parameters.filter(({ name }) => blockOf(name) === block);
      const times = own.map(({ name }) => touches.get(gradientTotal(name))!);
      return { block, first: Math.min(...times), last: Math.max(...times) };
    })
    .toSorted((a, b) => a.first - b.first);
}

describe.each(float32Backends())('on $label', ({ create, skip }) => {
  it.skipIf(skip).each(['keep', 'recompute'] as const)(
    'gradients are whole block by block, the last block first, where memory says to %s',
    (memory) => {
      const program = part(create(), memory);
      const times = timesOf(program);
      const blocks = Array.from({ length: depth }, (_, i) => `blocks.${depth - 1 - i}`);
      expect(times.slice(0, depth + 1).map(({ block }) => block)).toEqual(['final_layer', ...blocks]);
      for (const [i, { first }] of times.slice(1, depth + 1).entries())
        expect(first).toBeGreaterThan(times[i]!.last);
      // The last block's are early in the backward pass, which is as long for each.
      const [start, end] = [times[0]!.first, program.nodes.length];
      expect((times[1]!.last - start) / (end - start)).toBeLessThan(1.5 / depth);
    },
  );
});
