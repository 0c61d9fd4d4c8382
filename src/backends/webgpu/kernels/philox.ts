import { sizeOf } from '../../../tensor/shape.ts';
import type { Kernel } from '../dispatch.ts';
import { eachItem, reading } from '../items.ts';

/** An item for each block of four numbers. @param values an expression of the four words `w` */
function drawn(values: string): Kernel {
  return ({ inputs, outputs, attributes }) => {
    const { seed, stream, firstSample } = attributes as { seed: number; stream: number; firstSample: number };
    const shape = attributes['shape'] as readonly number[];
    const samples = shape[0] ?? 1;
    const elements = sizeOf(shape) / samples;
    const blocks = Math.ceil(elements / 4);
    const first = inputs[1] ? 'bitcast<u32>(x1(0u))' : 'u.firstSample';
    const body = `let sample = i / u.blocks; let block = i % u.blocks;
  let w = philox4x32(vec4u(block, ${first} + sample, bitcast<u32>(x0(0u)), u.stream), vec2u(u.seedLow, u.seedHigh));
  let v = ${values};
  for (var j = 0u; j < 4u && 4u * block + j < u.elements; j++) { set_y(sample * u.elements + 4u * block + j, v[j]); }`;
    return [
      eachItem({
        arguments: [...reading(inputs), { name: 'y', operand: outputs[0]!, isWritten: true }],
        count: samples * blocks,
        body,
        sizes: {
          blocks,
          elements,
          stream: stream >>> 0,
          firstSample,
          seedLow: seed >>> 0,
          seedHigh: Math.floor(seed / 2 ** 32),
        },
      }),
    ];
  };
}

export const philoxKernels: Readonly<Record<string, Kernel>> = {
  philoxUniform: drawn('vec4f(uniformOf(w.x), uniformOf(w.y), uniformOf(w.z), uniformOf(w.w))'),
  philoxNormal: drawn('vec4f(boxMuller(w.x, w.y), boxMuller(w.z, w.w))'),
};
