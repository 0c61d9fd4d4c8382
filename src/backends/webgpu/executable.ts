// A lowered program as commands of a device: memory for its values, one bound shader after the other, and one submission for a run.
import { type MemoryPlan, type Program, bytesOf, isWork, planMemory } from '../../program/index.ts';
import type { HostArray } from '../../tensor/dtype.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import { Lifetime } from '../../tensor/lifetime.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Finding } from '../backend.ts';
import { checkInputs, checkLives, checkOutputs, unreadError } from '../checks.ts';
import { FinalState } from '../final-state.ts';
import { inspectProgram } from '../inspect.ts';
import { profileOf } from '../profile.ts';
import { type Bound, type BoundDispatch, bindDispatches } from './bind.ts';
import type { WebGpuExecutable } from './contract.ts';
import type { Gpu, Part } from './device.ts';
import type { Tuning } from './dispatch.ts';
import { joinNodes } from './joins/index.ts';
import { type Machine, type WebGpuBuffer, writeTo } from './memory.ts';
import { Pacing } from './pacing.ts';
import { type Places, placeValues } from './places.ts';
import { fromStored } from './stored.ts';
import { clockFeature, timeNodes } from './timing.ts';

/** @throws RectiflowError where a value has no room on the device */
export async function bindProgram(
  program: Program,
  plan: MemoryPlan,
  buffers: ReadonlyMap<string, WebGpuBuffer>,
  { machine, tuning }: { readonly machine: Machine; readonly tuning: Tuning },
): Promise<WebGpuExecutable> {
  const { gpu, exclusively, lives } = machine;
  const bind = (nodes: Program, isJoined: boolean): Promise<BoundProgram> =>
    placeAndBind(nodes, buffers, { gpu, tuning, isJoined });
  const joined = joinNodes(program);
  let bound: BoundProgram | undefined = await bind(joined, true);
  const counts = { dispatches: bound.dispatches.length, shaders: bound.shaders };
  const release = (): void => {
    bound?.release();
    bound = undefined;
  };
  const toRun = async (): Promise<BoundProgram> => (bound ??= await bind(joined, true));
  let hasRun = false;
  const life = lives.add(new Lifetime(`program ${program.name}`, () => exclusively(release)));

  const feed = ({ values }: BoundProgram, inputs: Readonly<Record<string, HostArray>>): void => {
    for (const tensor of program.inputs) writeTo(gpu, values.placeOf(tensor), tensor, inputs[tensor.name!]!);
  };
  const submit = (dispatches: readonly BoundDispatch[]): void => {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    let last: GPUComputePipeline | undefined;
    for (const { pipeline, group, groups } of dispatches) {
      if (pipeline !== last) pass.setPipeline(pipeline);
      last = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...groups);
    }
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
  };

  return {
    program,
    plan,
    ...counts,
    async run(inputs, watch) {
      checkLives(program, life, buffers);
      gpu.check();
      checkInputs(program, inputs);
      const final = watch && new FinalState(program, watch);
      await exclusively(async () => {
        const ready = await toRun();
        feed(ready, inputs);
        hasRun = true;
        await ready.pacing.run({ submit, done: () => gpu.done() });
        if (final === undefined) return;
        await gpu.done();
        final.end();
      });
    },
    async profile(inputs) {
      checkLives(program, life, buffers);
      gpu.check();
      checkInputs(program, inputs);
      if (!gpu.device.features.has(clockFeature))
        throw new RectiflowError(
          'backend',
          `webgpu: ${gpu.facts.name} lets nobody read its clock (${clockFeature})`,
        );
      return exclusively(async () => {
        const ready = await toRun();
        feed(ready, inputs);
        hasRun = true;
        return profileOf(await timeNodes(gpu, ready.dispatches), 1);
      });
    },
    async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
      life.check();
      gpu.check();
      const outputs = checkOutputs(program, names);
      const { copied } = await exclusively(() => {
        if (!hasRun) throw unreadError(program, names);
        const { values } = bound!;
        return { copied: gpu.copyOut(outputs.map(([, tensor]) => partOf(values, tensor))) };
      });
      const parts = await copied;
      const read = outputs.map(([name, tensor], i) => [name, fromStored(tensor, parts[i]!)]);
      return Object.fromEntries(read) as Record<N, HostArray>;
    },
    async inspect(inputs): Promise<Finding | undefined> {
      checkLives(program, life, buffers);
      gpu.check();
      checkInputs(program, inputs);
      return exclusively(async () => {
        hasRun = false;
        // Every node by itself, so that it can be told which of them it was. Both need memory; there may be none for two.
        release();
        const apart = await bind(program, false);
        try {
          feed(apart, inputs);
          const readAll = async (tensors: readonly Tensor[]): Promise<[Tensor, HostArray][]> => {
            const parts = await gpu.copyOut(tensors.map((tensor) => partOf(apart.values, tensor)));
            return tensors.map((tensor, i) => [tensor, fromStored(tensor, parts[i]!)]);
          };
          const seen = new Map(await readAll([...program.inputs, ...program.state]));
          const run = async (node: Node): Promise<void> => {
            if (isWork(node)) submit(apart.dispatches.filter((dispatch) => dispatch.node === node));
            const made = node.outputs.filter((tensor) => !plan.leftOut.has(tensor));
            for (const [tensor, read] of await readAll(made)) seen.set(tensor, read);
          };
          return await inspectProgram(program, { run, read: (tensor) => seen.get(tensor) });
        } finally {
          apart.release();
        }
      });
    },
    dispose: () => life.dispose(),
  };
}

function partOf(values: Places, tensor: Tensor): Part {
  return { ...values.placeOf(tensor), bytes: bytesOf(tensor) };
}

/** A program with its memory and its dispatches. */
interface BoundProgram extends Pick<Bound, 'dispatches' | 'shaders'> {
  readonly values: Places;
  readonly pacing: Pacing;
  release(): void;
}

async function placeAndBind(
  program: Program,
  buffers: ReadonlyMap<string, WebGpuBuffer>,
  { gpu, tuning, isJoined }: { readonly gpu: Gpu; readonly tuning: Tuning; readonly isJoined: boolean },
): Promise<BoundProgram> {
  const plan = planMemory(program);
  const values = placeValues(program, plan, buffers, gpu);
  // Whether there is memory is known here: before shaders are compiled, and not in the middle of the first run.
  await gpu.told();
  const { dispatches, shaders, release } = await bindDispatches(program, plan, values, {
    gpu,
    tuning,
    isJoined,
  });
  await gpu.told();
  return {
    dispatches,
    shaders,
    values,
    pacing: new Pacing(dispatches),
    release() {
      release();
      values.release();
    },
  };
}
