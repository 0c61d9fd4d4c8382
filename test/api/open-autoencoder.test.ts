import { describe, expect, it } from 'vitest';
import { openAutoencoder } from '../../src/api/autoencoder.ts';
import type { Buffer } from '../../src/backends/backend.ts';
import { loadNative } from '../../src/backends/cpu/native.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { goldenAutoencoders } from '../support/golden-autoencoders.ts';

const { folder } = goldenAutoencoders.tiny;
const shape = [1, 3, 8, 8];
const images = new Float32Array(192).fill(0.5);

/** A backend that remembers what it has allocated. */
function remembering(): { backend: ReturnType<typeof referenceBackend>; buffers: Buffer[] } {
  const backend = referenceBackend();
  const buffers: Buffer[] = [];
  const allocate = backend.allocate.bind(backend);
  backend.allocate = (type) => {
    const buffer = allocate(type);
    buffers.push(buffer);
    return buffer;
  };
  return { backend, buffers };
}

describe('an autoencoder that is opened', () => {
  it('gives back what it holds of a backend that was handed over, which stays', async () => {
    const { backend, buffers } = remembering();
    const opened = await openAutoencoder(folder, { backend });
    expect(buffers).toHaveLength(opened.autoencoder.parameters.length);
    expect((await opened.encode(images, shape)).shape).toEqual([1, 4, 2, 2]);
    await opened.dispose();
    await opened.dispose();
    for (const buffer of buffers) await expect(buffer.read()).rejects.toThrow(/was disposed of/);
    await expect(opened.encode(images, shape)).rejects.toThrow(/the autoencoder of .* was disposed of/);
    backend.allocate({ shape: [1], dtype: 'float32' });
  });

  it('that fails to open holds nothing', async () => {
    const { backend, buffers } = remembering();
    await expect(openAutoencoder(folder, { backend, memory: 0 })).rejects.toThrow(
      /codec: memory must be a number of bytes above 0, got 0/,
    );
    expect(buffers.length).toBeGreaterThan(0);
    for (const buffer of buffers) await expect(buffer.read()).rejects.toThrow(/was disposed of/);
  });

  it('has a backend of its own where none is handed over', async () => {
    const native = loadNative();
    const before = native.held();
    const opened = await openAutoencoder(folder);
    const { mean, shape: latent } = await opened.encode(images, shape);
    const { images: decoded } = await opened.decode(mean, latent);
    expect(decoded).toHaveLength(images.length);
    await opened.dispose();
    expect(native.held()).toEqual(before);
  });
});
