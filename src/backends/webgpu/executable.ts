// A lowered program as commands of a device: memory for its values, one bound shader after the other, and one submission for a run.
import { type MemoryPlan, type Program, bytesOf, isWork } from '../../program/index.ts';
import type { HostArray } from '../../tensor/dtype.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import { Lifetime } from '../../tensor/lifetime.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Finding } from '../backend.ts';
import { checkInputs, checkLives, checkOutputs, unreadError } from '../checks.ts';
import { FinalState } from '../final-state.ts';
import { inspectProgram } from '../inspect.ts';
import { profileOf } from '../profile.ts';
import { type BoundDispatch, bindDispatches } from './bind.ts';
import type { WebGpuExecutable } from './contract.ts';
import type { Part } from './device.ts';
import type { Tuning } from './dispatch.ts';
import { type Machine, type WebGpuBuffer, writeTo } from './memory.ts';
import { Pacing } from './pacing.ts';
import { placeValues } from './places.ts';
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
  const values = placeValues(program, plan, buffers, gpu);
  // Whether there is memory is known here: before shaders are compiled, and not in the middle of the first run.
  await gpu.told();
  const bound = await bindDispatches(program, plan, values, { gpu, tuning });
  await gpu.told();
  const pacing = new Pacing(bound.dispatches);
  let hasRun = false;
  const life = lives.add(
    new Lifetime(`program ${program.name}`, () =>
      exclusively(() => {
        bound.release();
        values.release();
      }),
    ),
  );

  const feed = (inputs: Readonly<Record<string, HostArray>>): void => {
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
    dispatches: bound.dispatches.length,
    shaders: bound.shaders,
    async run(inputs, watch) {
      checkLives(program, life, buffers);
      gpu.check();
      checkInputs(program, inputs);
      const final = watch && new FinalState(program, watch);
      await exclusively(async () => {
        feed(inputs);
        hasRun = true;
        await pacing.run({ submit, done: () => gpu.done() });
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
        feed(inputs);
        hasRun = true;
        return profileOf(await timeNodes(gpu, bound.dispatches), 1);
      });
    },
    async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
      life.check();
      gpu.check();
      const outputs = checkOutputs(program, names);
      const { copied } = await exclusively(() => {
        if (!hasRun) throw unreadError(program, names);
        return { copied: gpu.copyOut(outputs.map(([, tensor]) => partOf(tensor))) };
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
        feed(inputs);
        hasRun = false;
        const given = [...program.inputs, ...program.state];
        const seen = new Map(await readAll(given));
        const run = async (node: Node): Promise<void> => {
          if (isWork(node)) submit(bound.dispatches.filter((dispatch) => dispatch.node === node));
          const made = node.outputs.filter((tensor) => !plan.leftOut.has(tensor));
          for (const [tensor, read] of await readAll(made)) seen.set(tensor, read);
        };
        return inspectProgram(program, { run, read: (tensor) => seen.get(tensor) });
      });
    },
    dispose: () => life.dispose(),
  };

  function partOf(tensor: Tensor): Part {
    return { ...values.placeOf(tensor), bytes: bytesOf(tensor) };
  }

  async function readAll(tensors: readonly Tensor[]): Promise<[Tensor, HostArray][]> {
    const parts = await gpu.copyOut(tensors.map(partOf));
    return tensors.map((tensor, i) => [tensor, fromStored(tensor, parts[i]!)]);
  }
}
