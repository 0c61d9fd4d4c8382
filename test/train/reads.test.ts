import { expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { Backend, Executable, Buffer } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

/** A backend that writes down what is read from it. */
function observed(backend: Backend, log: string[]): Backend {
  const buffers = new Map<Buffer, Buffer>();
  return {
    ...backend,
    allocate(type) {
      const buffer = backend.allocate(type);
      const wrapped: Buffer = {
        ...type,
        read: () => {
          log.push('a buffer');
          return buffer.read();
        },
        readInto: (target) => {
          log.push('a buffer');
          return buffer.readInto(target);
        },
        write: (values) => buffer.write(values),
        dispose: () => buffer.dispose(),
      };
      buffers.set(wrapped, buffer);
      return wrapped;
    },
    async compile(program, state) {
      const own = new Map([...state].map(([name, buffer]) => [name, buffers.get(buffer)!]));
      const executable = await backend.compile(program, own);
      const read: Executable['read'] = (names) => {
        log.push(...names);
        return executable.read(names);
      };
      return { ...executable, read };
    },
  };
}

it.each([undefined, 2])(
  'a step that is not logged has one number read, which tells whether it counts, with micro-batches of %o',
  async (microBatch) => {
    const log: string[] = [];
    const settings = { steps: 6, logEvery: 100, ...(microBatch !== undefined && { microBatch }) };
    await train(
      { ...tinyStripes, train: { ...tinyStripes.train, ...settings }, ema: { decays: [0.9], power: [0.1] } },
      {
        runs: await temporaryFolder(),
        source: stripes(),
        backend: observed(referenceBackend(), log),
        onStep: ({ step }) => log.push(`step ${step}`),
      },
    );
    const between = log.slice(log.indexOf('step 1') + 1, log.indexOf('step 6'));
    expect(between.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'counts'));
    expect(between.slice(5)).toContain('loss');
    expect(between.slice(5)).not.toContain('counts');
  },
);
