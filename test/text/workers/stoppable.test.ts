import { describe, expect, it } from 'vitest';
import { Stoppable } from '../../../src/text/workers/stoppable.ts';
import type { TokenizerCalls } from '../../../src/text/workers/tokenizer.ts';
import { clip, id } from '../tokenizers/clip.ts';

/** `(a+)+$` tries every way to divide a row of a's before it gives up. */
const catastrophic = {
  ...clip,
  normalizer: null,
  pre_tokenizer: { type: 'Split', pattern: { Regex: '^(a+)+$' }, behavior: 'Isolated', invert: false },
};
const slow = `${'a'.repeat(60)}!`;
const limit = { seconds: 0.3, tooLong: () => new Error('too long') };
const patient = { seconds: 20, tooLong: () => new Error('too long') };

const open = (json: unknown) => new Stoppable<TokenizerCalls>('tokenizer', JSON.stringify(json));

describe('work in a thread', () => {
  it('is answered, whether it is waited for or blocks', async () => {
    const worker = open(clip);
    const wanted = ['<|startoftext|>', 'red</w>', '<|endoftext|>'].map(id);
    expect(worker.callSync('encode', ['red'], patient)).toEqual(wanted);
    expect(await worker.call('encode', ['red'], patient)).toEqual(wanted);
    expect(worker.callSync('encode', ['red'], patient)).toEqual(wanted);
    worker.close();
  });

  it('throws what it throws there', async () => {
    await expect(open({}).call('vocabulary', [], patient)).rejects.toThrow(/must contain a "model" property/);
    expect(() => open({}).callSync('vocabulary', [], patient)).toThrow(/must contain a "model" property/);
  });

  it('is stopped where it takes too long, and the next call is answered', async () => {
    const worker = open(catastrophic);
    await worker.call('vocabulary', [], patient);
    expect(() => worker.callSync('encode', [slow], limit)).toThrow('too long');
    await worker.call('vocabulary', [], patient);
    await expect(worker.call('encode', [slow], limit)).rejects.toThrow('too long');
    expect(await worker.call('vocabulary', [], patient)).toBeGreaterThan(0);
    worker.close();
  });

  it('is stopped by a signal', async () => {
    const worker = open(catastrophic);
    await worker.call('vocabulary', [], patient);
    const controller = new AbortController();
    const encoding = worker.call('encode', [slow], { ...patient, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(encoding).rejects.toThrow('enough');
  });

  it('keeps no process once its work is done, whichever way it was called', async () => {
    const ports = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const before = ports();
    const blocking = open(clip);
    blocking.callSync('encode', ['red'], patient);
    expect(ports()).toBe(before);
    const awaited = open(clip);
    await awaited.call('encode', ['red'], patient);
    expect(ports()).toBe(before);
    blocking.close();
    awaited.close();
  });
});
