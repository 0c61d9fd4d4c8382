import type { DeviceFacts } from '../../backends/webgpu/contract.ts';
import { mebibytes } from '../../train/memory-estimate.ts';
import { type Check, firstOf } from './check.ts';

/** Features that tell what a GPU could do for training, beside what every one has. */
const notable = ['shader-f16', 'subgroups', 'timestamp-query'];

/**
 * @param found what GPU there is, or why there is none
 * @param isAsked whether the config asks for a GPU, in place of leaving the choice open
 */
export function checkGpu(found: DeviceFacts | string, isAsked: boolean): Check {
  if (typeof found === 'string')
    return isAsked
      ? { name: 'gpu', status: 'fail', text: found }
      : { name: 'gpu', status: 'ok', text: `none is used. ${found}` };
  const { name, isSoftware, limits, features } = found;
  const has = notable.filter((feature) => features.includes(feature));
  const lacks = notable.filter((feature) => !features.includes(feature));
  const facts = [
    `${name}: buffers to ${mebibytes(limits.buffer)}, ${mebibytes(limits.binding)} of one in a shader, ${limits.storageBuffers} buffers in a shader`,
    ...(has.length > 0 ? [`has ${has.join(', ')}`] : []),
    ...(lacks.length > 0 ? [`lacks ${lacks.join(', ')}`] : []),
  ].join('; ');
  const isProgram = `${facts}. It is a program, not a GPU`;
  return firstOf('gpu', isSoftware ? `${isProgram}, and is not used` : facts, [
    [
      isSoftware && isAsked,
      'warn',
      `${isProgram}: slower than cpu. Set backend.name to auto, or install the driver of your GPU`,
    ],
  ]);
}

/** @param flops that its shaders reached, per second */
export function describePeak(flops: number): Check {
  const text = `shaders reach ${Number((flops / 1e9).toPrecision(3))} GFLOP/s in float32, measured on registers alone`;
  return { name: 'peak', status: 'ok', text };
}
