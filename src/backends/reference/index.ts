// The oracle: a plain interpreter, in float32 or float64. Slow, and with nothing in it that could be wrong quietly.
import { lower, oncePerProgram, planMemory } from '../../program/index.ts';
import type { Program } from '../../program/index.ts';
import type { HostArray } from '../../tensor/dtype.ts';
import { othersTurn } from '../../tensor/turn.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Tensor, TensorType } from '../../tensor/tensor.ts';
import type { Backend, Buffer, Executable, Precision } from '../backend.ts';
import { checkBuffers, checkInputs, checkLives, checkOutputs, unreadError } from '../checks.ts';
import { FinalState } from '../final-state.ts';
import { inspectProgram } from '../inspect.ts';
import { Lifetime, Lifetimes, serial } from '../../tensor/lifetime.ts';
import { precisionPass } from '../precision.ts';
import { type Host, ReferenceBuffer } from './buffer.ts';
import { type Values, evaluate, evaluateNode } from './evaluate.ts';

export interface ReferenceOptions {
  /** What float32 values are held in: float32 as on other backends, or float64 to compare them with. */
  readonly float?: 'float32' | 'float64';
  /** `bf16` and `fp16` round what mixed precision stores in fewer bits, so that its effect can be studied. Neither saves memory here. */
  readonly precision?: Precision;
}

/** Runs programs by the plain implementations of the primitive ops; every fused op is decomposed. */
export function referenceBackend({ float = 'float32', precision = 'fp32' }: ReferenceOptions = {}): Backend {
  const allocate = ({ shape, dtype }: TensorType): HostArray => {
    const size = sizeOf(shape);
    if (dtype === 'int32') return new Int32Array(size);
    return float === 'float64' ? new Float64Array(size) : new Float32Array(size);
  };
  const inPrecision = precisionPass('reference', precision, ['bfloat16', 'float16']);
  const lowered = oncePerProgram((program) =>
    lower(inPrecision(program), 'reference', ({ kind }) => kind === 'primitive'),
  );
  const host: Host = { allocate, exclusively: serial(), lives: new Lifetimes() };
  const life = new Lifetime('the reference backend', () => host.lives.dispose());
  const isOwn = (buffer: Buffer): buffer is ReferenceBuffer =>
    buffer instanceof ReferenceBuffer && buffer.machine === host;
  return {
    name: 'reference',
    precision,
    describe: () => `reference interpreter, ${float}, one thread`,
    allocate(type) {
      life.check();
      return new ReferenceBuffer(type, host);
    },
    lower: lowered,
    async compile(traced, buffers) {
      life.check();
      const program = lowered(traced);
      const own = checkBuffers(program, buffers, isOwn);
      for (const [name, buffer] of own) buffer.life.check(`program ${program.name}: the buffer for ${name}`);
      return bind(program, own, host);
    },
    dispose: () => life.dispose(),
  };
}

function bind(program: Program, buffers: ReadonlyMap<string, ReferenceBuffer>, host: Host): Executable {
  const { allocate, exclusively, lives } = host;
  let last: Values = new Map();
  const life = lives.add(new Lifetime(`program ${program.name}`, () => exclusively(() => last.clear())));
  return {
    program,
    plan: planMemory(program),
    async run(inputs, watch) {
      checkLives(program, life, buffers);
      checkInputs(program, inputs);
      const final = watch && new FinalState(program, watch);
      await exclusively(async () => {
        // Work that never waits would starve timers and signals, Ctrl-C among them.
        await othersTurn();
        const values = given(inputs);
        evaluate(program, values, allocate);
        last = new Map([...program.outputs.values()].map((tensor) => [tensor, values.get(tensor)!]));
        final?.end();
      });
    },
    async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
      life.check();
      const outputs = checkOutputs(program, names);
      return exclusively(() => {
        const values = outputs.map(([name, tensor]) => {
          const made = last.get(tensor);
          if (made === undefined) throw unreadError(program, names);
          return [name, made.data.slice()];
        });
        return Object.fromEntries(values) as Record<N, HostArray>;
      });
    },
    async inspect(inputs) {
      checkLives(program, life, buffers);
      checkInputs(program, inputs);
      return exclusively(() => {
        const values = given(inputs);
        return inspectProgram(program, {
          run: (node) => evaluateNode(node, values, allocate),
          read: (tensor) => values.get(tensor)!.data,
        });
      });
    },
    dispose: () => life.dispose(),
  };

  /** State and inputs. */
  function given(inputs: Readonly<Record<string, HostArray>>): Values {
    const values: Values = new Map();
    for (const tensor of program.state) {
      const { data } = buffers.get(tensor.name!)!;
      values.set(tensor, { shape: tensor.shape, data });
    }
    for (const tensor of program.inputs)
      values.set(tensor, { shape: tensor.shape, data: copy(tensor, inputs) });
    return values;
  }

  function copy(tensor: Tensor, inputs: Readonly<Record<string, HostArray>>): HostArray {
    const data = allocate(tensor);
    data.set(inputs[tensor.name!]!);
    return data;
  }
}
