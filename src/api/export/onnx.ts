import { writeDurably } from '../../host/durable.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import { DiT } from '../../models/dit.ts';
import { type VelocityModel, declareConditions } from '../../models/model.ts';
import { declareParameters } from '../../nn/parameters.ts';
import { toOnnx } from '../../interop/onnx/index.ts';
import { type Program, trace } from '../../program/index.ts';
import type { ImageModel } from '../../train/settings.ts';

/**
 * Writes the velocity, or the noise of a model of DDPM, as an ONNX model. Inputs: x [batch, C, H, W], t [batch] in [0, 1] with the noise at t = 1, and labels int32
 * [batch] of a model with classes, whose number is the null label. Output: [batch, C, H, W].
 * @param output its name
 * @throws RectiflowError where the model is larger than an ONNX file can hold
 */
export async function writeOnnx(
  path: string,
  stored: StoredTensors,
  config: ImageModel,
  metadata: Readonly<Record<string, string>>,
  output: 'velocity' | 'noise' = 'velocity',
): Promise<void> {
  const model = new DiT(config);
  const weights = new Map([...stored].map(([name, tensor]) => [name, toFloat32(tensor)]));
  await writeDurably(
    path,
    toOnnx((batch) => outputOf(model, batch, output), { weights, metadata }),
  );
}

function outputOf(model: VelocityModel, batch: number, output: string): Program {
  return trace(output, (graph) => {
    const params = declareParameters(graph, model.parameters);
    const x = graph.input('x', [batch, ...model.sampleShape]);
    const t = graph.input('t', [batch]);
    return { [output]: model.velocity(params, x, t, declareConditions(graph, model, batch)) };
  });
}
