import { setTimeout } from 'node:timers/promises';
import type { Backend, Buffer, Buffers, Executable, Precision } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';

export interface SlowDevice {
  readonly backend: Backend;
  /** The most runs of a training step that were asked for and not done yet. */
  readonly mostAhead: () => number;
}

/** The reference as a device that answers late: it does in turn what it is asked for, and takes a step before the last one is done. */
export function slowDevice(precision: Precision = 'fp32'): SlowDevice {
  const reference = referenceBackend({ precision });
  const plain = new Map<Buffer, Buffer>();
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let most = 0;
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const done = last.then(() => setTimeout(1)).then(task);
    last = done.catch(() => {});
    return done;
  };

  const executable = (made: Executable): Executable => ({
    ...made,
    async run(inputs, watch) {
      const own = structuredClone(inputs);
      const isStep = made.program.outputs.has('counts');
      if (isStep) most = Math.max(most, ++waiting);
      inTurn(() => made.run(own, watch)).then(
        () => isStep && waiting--,
        () => {},
      );
    },
    read: (names) => inTurn(() => made.read(names)),
    inspect: (inputs) => inTurn(() => made.inspect(inputs)),
    dispose: () => inTurn(() => made.dispose()),
  });

  const backend: Backend = {
    ...reference,
    name: 'slow device',
    runsAhead: true,
    dispose: () => inTurn(() => reference.dispose()),
    allocate(type) {
      const buffer = reference.allocate(type);
      const slow: Buffer = {
        ...type,
        read: () => inTurn(() => buffer.read()),
        readInto: (target) => inTurn(() => buffer.readInto(target)),
        write: (values) => {
          const own = values.slice();
          return inTurn(() => buffer.write(own));
        },
        dispose: () => inTurn(() => buffer.dispose()),
      };
      plain.set(slow, buffer);
      return slow;
    },
    async compile(program, buffers: Buffers) {
      const own = new Map([...buffers].map(([name, buffer]) => [name, plain.get(buffer)!]));
      return executable(await reference.compile(program, own));
    },
  };
  return { backend, mostAhead: () => most };
}
