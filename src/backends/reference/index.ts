// The oracle: a plain interpreter, in float32 or float64. Slow, and with nothing in it that could be wrong quietly.
import type { Dense } from '../../ops/op.ts';
import { lower, oncePerProgram, planMemory } from '../../program/index.ts';
import type { Program } from '../../program/index.ts';
import { type HostArray, isHalf } from '../../tensor/dtype.ts';
import { roundToHalf } from '../../tensor/half.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Tensor, TensorType } from '../../tensor/tensor.ts';
import { othersTurn } from '../../tensor/turn.ts';
import type { Backend, Buffer, Buffers, Executable, Precision } from '../backend.ts';
import { checkBuffers, checkInputs, checkOutputs, checkValues } from '../checks.ts';
import { inspectProgram } from '../inspect.ts';
import { precisionPass } from '../precision.ts';
import { type Values, evaluate, evaluateNode } from './evaluate.ts';

export interface ReferenceOptions {
  /** What float32 values are held in: float32 as on other backends, or float64 to compare them with. */
  readonly float?: 'float32' | 'float64';
  /** `bf16` and `fp16` round what mixed precision stores in fewer bits, so that its effect can be studied. Neither saves memory here. */
  readonly precision?: Precision;
}

class ReferenceBuffer implements Buffer {
  readonly shape: TensorType['shape'];
  readonly dtype: TensorType['dtype'];
  readonly data: HostArray;

  constructor(type: TensorType, data: HostArray) {
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.data = data;
  }

  read(): Promise<HostArray> {
    return Promise.resolve(this.data.slice());
  }

  readInto(target: HostArray): Promise<void> {
    checkValues('buffer', this, target);
    target.set(this.data);
    return Promise.resolve();
  }

  write(values: HostArray): Promise<void> {
    checkValues('buffer', this, values);
    this.data.set(values);
    if (isHalf(this.dtype)) roundToHalf(this.dtype, this.data);
    return Promise.resolve();
  }
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
  return {
    name: 'reference',
    precision,
    describe: () => `reference interpreter, ${float}, one thread`,
    allocate: (type) => new ReferenceBuffer(type, allocate(type)),
    lower: lowered,
    compile: async (program, buffers) => compile(lowered(program), buffers, allocate),
  };
}

function compile(
  program: Program,
  buffers: Buffers,
  allocate: (type: TensorType) => Dense['data'],
): Executable {
  checkBuffers(program, buffers);
  let last: Values = new Map();
  return {
    program,
    plan: planMemory(program),
    async run(inputs) {
      checkInputs(program, inputs);
      // Work that never waits would starve timers and signals, Ctrl-C among them.
      await othersTurn();
      const values = given(inputs);
      evaluate(program, values, allocate);
      last = new Map([...program.outputs.values()].map((tensor) => [tensor, values.get(tensor)!]));
    },
    async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
      const outputs = checkOutputs(program, names);
      const values = outputs.map(([name, tensor]) => [name, last.get(tensor)!.data.slice()]);
      return Object.fromEntries(values) as Record<N, HostArray>;
    },
    async inspect(inputs) {
      checkInputs(program, inputs);
      const values = given(inputs);
      return inspectProgram(program, {
        run: (node) => evaluateNode(node, values, allocate),
        read: (tensor) => values.get(tensor)!.data,
      });
    },
  };

  /** State and inputs. */
  function given(inputs: Readonly<Record<string, HostArray>>): Values {
    const values: Values = new Map();
    for (const tensor of program.state) {
      const { data } = buffers.get(tensor.name!) as ReferenceBuffer;
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
