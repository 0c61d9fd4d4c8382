// Latents to pictures, and the gradient of that, as one program.
import {
  type AutoencoderConfig,
  type Backend,
  type Buffers,
  type Executable,
  type Program,
  type Tensor,
  allocateState,
  createAutoencoder,
  declareParameters,
  grad,
  initializeState,
  ops,
  trace,
} from 'rectiflow';

export interface DecoderCase {
  readonly config: AutoencoderConfig;
  /** Of the picture, in pixels. */
  readonly side: number;
  /** Whether the mean square's gradients by all weights are made too. */
  readonly learns: boolean;
}

/** @returns the compiled program, and what runs it on one picture's latents and reads what comes out */
export async function prepareDecoder<E extends Executable>(
  backend: Omit<Backend, 'compile'> & { compile(program: Program, buffers: Buffers): Promise<E> },
  { config, side, learns }: DecoderCase,
): Promise<{ readonly executable: E; run(): Promise<void> }> {
  const autoencoder = createAutoencoder(config);
  const { factor, latentChannels, imageChannels } = autoencoder;
  const latent = [1, latentChannels, side / factor, side / factor];
  const program = trace('decoder', (graph): Readonly<Record<string, Tensor>> => {
    const weights = declareParameters(graph, autoencoder.parameters);
    const asked = new Set<string>();
    const images = autoencoder.decode(
      (name) => {
        asked.add(name);
        return weights(name);
      },
      graph.input('latents', latent),
    );
    if (!learns) return { images };
    const loss = ops.affine(ops.sum(ops.square(images)), 1 / (imageChannels * side * side), 0);
    const gradients = grad(loss, [...asked].map(weights));
    return { images, ...Object.fromEntries(gradients.map((each, i) => [`gradient${i}`, each])) };
  });
  const buffers = allocateState(backend, program);
  await initializeState(backend, autoencoder, buffers, 1);
  const executable = await backend.compile(program, buffers);
  const size = latent.reduce((product, extent) => product * extent);
  const latents = Float32Array.from({ length: size }, () => 2 * Math.random() - 1);
  const run = async (): Promise<void> => {
    await executable.run({ latents });
    await executable.read(['images']);
  };
  return { executable, run };
}
