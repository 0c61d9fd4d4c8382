import { describe, expect, it } from 'vitest';
import type { Source } from '../../src/data/source.ts';
import { type ComparedData, compareData } from '../../src/known/compare-data.ts';
import type { DataRecord } from '../../src/known/data-record.ts';
import type { ModelConfig } from '../../src/train/settings.ts';

const latents = { kind: 'latents', scale: 0.18, shift: 0 };
const known: DataRecord = { record: latents, told: 'nothing' };

const source = (members: Partial<Source>): Source => ({
  name: 'latents',
  count: 2,
  shape: [4, 2, 2],
  read: () => ({}),
  ...members,
});

function compare(now: Source, data: DataRecord, options: { accept?: boolean } = {}): Promise<ComparedData> {
  const checkpoint = { path: 'runs/a/checkpoints/step-0000004', step: 4, state: { data } };
  return compareData(now, { checkpoint, model: { kind: 'dit', classes: 0 } as ModelConfig, ...options });
}

describe('latents', () => {
  it('of another autoencoder are refused; of one that nothing tells they are taken, which is said', async () => {
    const [own, other] = ['a'.repeat(64), 'b'.repeat(64)];
    const of = (autoencoder?: string): Record<string, unknown> => ({
      ...latents,
      ...(autoencoder !== undefined && { autoencoder }),
    });
    const mine: DataRecord = { record: of(own), told: 'nothing' };
    await expect(compare(source({ record: of(other) }), mine)).rejects.toThrow(
      /they are latents of another autoencoder \(b{12}\) than the checkpoint's \(a{12}\)\. .*--accept-data/,
    );
    const taken = await compare(source({ record: of(other) }), mine, { accept: true });
    expect(taken.record.record).toEqual(of(other));
    // What the checkpoint does not know is not compared, and known from now on.
    const unknown = await compare(source({ record: of(other) }), known);
    expect([unknown.notices, unknown.record.record]).toEqual([[], of(other)]);
    const untoldNow = await compare(source({ record: of() }), mine);
    expect(untoldNow.notices.join()).toMatch(/nothing tells that they are of the autoencoder .* \(a{12}\)/);
    expect(untoldNow.record.record).toEqual(of(own));
  });

  it('of scales for each channel are compared', async () => {
    const each = { kind: 'latents', scale: [1, 2, 3, 4], shift: [0, 0, 0, 0] };
    const wanted: DataRecord = { record: each, told: 'nothing' };
    expect((await compare(source({ record: { ...each } }), wanted)).notices).toEqual([]);
    const turned = source({ record: { ...each, scale: [1, 2, 4, 3] } });
    await expect(compare(turned, wanted)).rejects.toThrow(/scale 1, 2, 3, 4 -> 1, 2, 4, 3\./);
  });
});
