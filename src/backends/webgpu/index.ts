// Any GPU, by WebGPU: in Node.js through the package `webgpu`, in a page as the browser has it. Nothing here knows which.
import { isBuiltIn } from '../../ops/registry.ts';
import { lower, oncePerProgram, planMemory } from '../../program/index.ts';
import { Lifetime, Lifetimes, serial } from '../../tensor/lifetime.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import type { Buffer, Precision, TuningStore } from '../backend.ts';
import { checkBuffers, checkDTypes } from '../checks.ts';
import { precisionPass } from '../precision.ts';
import type { WebGpuBackend, WebGpuOptions } from './contract.ts';
import type { Gpu } from './device.ts';
import { bindProgram } from './executable.ts';
import { joinNodes } from './joins/index.ts';
import { kernels } from './kernels/index.ts';
import { matricesFor } from './matrices.ts';
import { type Machine, Slabs, WebGpuBuffer } from './memory.ts';
import { needsOf } from './needs.ts';
import { measurePeak } from './peak.ts';
import { Tuner } from './tuning/tuner.ts';
import { type FixedTuning, type Tuning, fixedTuning } from './tuning/work.ts';

export { openGpu } from './adapter.ts';
export type { FixedTuning, WebGpuBackend, WebGpuExecutable, WebGpuOptions } from './contract.ts';

/** A backend on a device that others may use, too: it leaves the device as it is when it is disposed of. */
export function backendOn(gpu: Gpu, options: WebGpuOptions = {}): WebGpuBackend {
  const { onDispose } = options;
  const precision = precisionOf(gpu, options);
  const inPrecision = precisionPass('webgpu', precision, halves);
  const machine: Machine = {
    gpu,
    slabs: new Slabs((bytes) => gpu.buffer(bytes)),
    exclusively: serial(),
    lives: new Lifetimes(),
  };
  const tuning = tuningOf(machine, precision, options);
  const tuner = tuning instanceof Tuner ? tuning : undefined;
  const { lives, exclusively } = machine;
  const life = new Lifetime('the webgpu backend', async () => {
    await lives.dispose();
    await exclusively(() => onDispose?.());
  });
  const isOwn = (buffer: Buffer): buffer is WebGpuBuffer =>
    buffer instanceof WebGpuBuffer && buffer.machine === machine;
  const lowered = oncePerProgram((program) =>
    lower(inPrecision(program), 'webgpu', (op) => isBuiltIn(op) && kernels.has(op.name)),
  );
  return {
    name: 'webgpu',
    precision,
    isa: gpu.facts.name,
    facts: gpu.facts,
    runsAhead: true,
    describe: () => `${gpu.facts.name} by WebGPU, ${precision}`,
    allocate(type) {
      life.check();
      return new WebGpuBuffer(type, machine);
    },
    lower: lowered,
    async compile(traced, buffers) {
      life.check();
      gpu.check();
      const program = lowered(traced);
      checkDTypes('webgpu', program, ['float32', ...halves, 'int32']);
      const own = checkBuffers(program, buffers, isOwn);
      for (const [name, buffer] of own) buffer.life.check(`program ${program.name}: the buffer for ${name}`);
      const joined = joinNodes(program);
      await tuner?.prepare(joined, planMemory(joined));
      return bindProgram(program, planMemory(program), own, { machine, tuning });
    },
    deviceNeeds: (programs) =>
      needsOf(programs, { tuning, most: gpu.mostBytes, binding: gpu.facts.limits.binding, facts: gpu.facts }),
    ...(tuner && { keepTuning: (store: TuningStore) => tuner.keepIn(store) }),
    async measurePeak() {
      life.check();
      gpu.check();
      return exclusively(() => measurePeak(gpu));
    },
    dispose: () => life.dispose(),
  };
}

/** What there are kernels for, beside float32. */
const halves = ['bfloat16', 'float16'] as const;

function precisionOf(gpu: Gpu, { precision = 'fp32' }: WebGpuOptions): Precision {
  if (precision !== 'auto') return precision;
  return gpu.facts.isSoftware ? 'fp32' : 'bf16';
}

/** @throws RectiflowError where it asks for what the device does not have */
function tuningOf(machine: Machine, precision: Precision, options: WebGpuOptions): Tuning {
  const { tuning = 'auto', subgroupMatrices = false } = options;
  const { name, isSoftware, subgroupSizes, matrices: shapes } = machine.gpu.facts;
  const matrices = subgroupMatrices && {
    matrices: matricesFor(precision, name, { ...(shapes && subgroupSizes && { ...subgroupSizes, shapes }) }),
  };
  if (typeof tuning === 'object') {
    if (tuning.subgroups && subgroupSizes === undefined)
      throw new RectiflowError(
        'backend',
        `webgpu: tuning.subgroups is true, and ${name} has no subgroups. Leave it out`,
      );
    return fixedTuning({ ...tuning, ...matrices });
  }
  const usual = {
    ...(isSoftware ? software : { ...hardware, subgroups: subgroupSizes !== undefined }),
    ...matrices,
  };
  // What suits adapters that are programs is known, and they take seconds to compile a shader.
  return tuning === 'off' || (tuning === 'auto' && isSoftware)
    ? fixedTuning(usual)
    : new Tuner(machine, usual, options);
}

const software: FixedTuning = { lanes: 1, products: 'direct' };
const hardware: FixedTuning = { lanes: 64, products: 'tiled' };
