import { describe, expect, it } from 'vitest';
import type { ExpressionRecord } from '../../src/data/expression/record.ts';
import type { Source } from '../../src/data/source.ts';
import { type CompareOptions, compareData } from '../../src/known/compare-data.ts';
import type { ModelConfig } from '../../src/train/settings.ts';
import type { DataRecord } from '../../src/known/data-record.ts';

const untold = { told: 'nothing', classes: 0 } as const;
const key = { seed: 0, epoch: 0 };

/** Sample i has the label i, modulo the classes, and that as its only value. */
function labelled(classNames: readonly string[] | undefined, members: Partial<Source> = {}): Source {
  const classes = classNames?.length ?? 3;
  return {
    name: 'pets',
    count: 6,
    shape: [1],
    classes,
    ...(classNames && { classNames }),
    read(index, out, offset) {
      out[offset] = index % classes;
      return { label: index % classes };
    },
    ...members,
  };
}

interface Met extends Pick<CompareOptions, 'accept' | 'captionEncoder'> {
  readonly told?: DataRecord['told'];
  /** That the model has room for. */
  readonly classes?: number;
}

function compare(source: Source, known: DataRecord, { told = 'class', classes = 3, ...options }: Met = {}) {
  const path = 'runs/a/checkpoints/step-0000004';
  return compareData(source, {
    checkpoint: { path, step: 4, state: { data: known } },
    model: (told === 'caption' ? { kind: 'text-dit' } : { kind: 'dit', classes }) as ModelConfig,
    ...options,
  });
}

async function labelsOf(source: Source, count: number): Promise<(number | undefined)[]> {
  const out = new Float32Array(source.shape[0]!);
  const read = Array.from(
    { length: count },
    async (_, index) => (await source.read(index, out, 0, key)).label,
  );
  return Promise.all(read);
}

const pets: DataRecord = { classNames: ['cat', 'dog', 'owl'], told: 'class', shape: [1], count: 6 };

describe('classes', () => {
  it('that are the same are as they were, without a word', async () => {
    const { source, record, notices } = await compare(labelled(['cat', 'dog', 'owl']), pets);
    expect(notices).toEqual([]);
    expect(record).toEqual({ ...pets, classes: 3 });
    expect(await labelsOf(source, 3)).toEqual([0, 1, 2]);
  });

  it('in another order are mapped by name, which is said', async () => {
    const { source, record, notices } = await compare(labelled(['owl', 'cat', 'dog']), pets);
    expect(await labelsOf(source, 3)).toEqual([2, 0, 1]);
    expect([source.classNames, record.classNames]).toEqual([pets.classNames, pets.classNames]);
    expect(notices).toEqual(['pets: its classes stand in another order: labels are taken by name.']);
  });

  it('whose letters and accents are written apart are the same', async () => {
    const known = { ...pets, classNames: ['caf\u00e9', 'dog'] };
    const { record, notices } = await compare(labelled(['cafe\u0301', 'dog']), known);
    expect([record.classNames, notices]).toEqual([known.classNames, []]);
  });

  it('of one name keep their numbers; where others moved they are refused', async () => {
    const cranes = { ...pets, classNames: ['crane', 'dog', 'crane'] };
    const same = await compare(labelled(['crane', 'dog', 'crane']), cranes);
    expect(same.notices).toEqual([]);
    expect(await labelsOf(same.source, 3)).toEqual([0, 1, 2]);
    const moved = labelled(['dog', 'crane', 'crane']);
    await expect(compare(moved, cranes)).rejects.toThrow(
      /several classes are called "crane"\. Change them back/,
    );
    const { source } = await compare(moved, cranes, { accept: true });
    expect(await labelsOf(source, 3)).toEqual([1, 0, 2]);
  });

  it('are compared at once, however many there are', async () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `class ${i}`);
    const known = { ...pets, classNames: names.toReversed() };
    const { source } = await compare(labelled(names), known, { classes: names.length });
    expect(await labelsOf(source, 2)).toEqual([99_999, 99_998]);
  }, 20_000);

  it('that are renamed are refused with both names, and take the place of the old ones where that is accepted', async () => {
    const renamed = labelled(['dog', 'owl', 'zebra']);
    await expect(compare(renamed, pets)).rejects.toThrow(
      'pets: the data are not those of runs/a/checkpoints/step-0000004: the class "cat" is missing, the class "zebra" is new. ' +
        'Change them back, or go on with --accept-data (acceptData), which takes "zebra" for "cat".',
    );
    const { source, record, notices } = await compare(renamed, pets, { accept: true });
    expect(await labelsOf(source, 3)).toEqual([1, 2, 0]);
    expect(record).toMatchObject({
      classNames: ['zebra', 'dog', 'owl'],
      accepted: [{ step: 4, text: expect.stringContaining('takes "zebra" for "cat"') }],
    });
    expect(notices).toEqual([expect.stringMatching(/this was accepted, which takes "zebra" for "cat"\.$/)]);
    // From then on that is what they are called.
    expect((await compare(renamed, record)).record).toEqual(record);
  });

  it('that are missing are refused, and keep their places where that is accepted', async () => {
    const fewer = labelled(['dog', 'owl']);
    await expect(compare(fewer, pets)).rejects.toThrow(/the class "cat" is missing\. /);
    const { source, record: now } = await compare(fewer, pets, { accept: true });
    expect(source).toMatchObject({ classes: 3, classNames: pets.classNames });
    expect(await labelsOf(source, 2)).toEqual([1, 2]);
    // What was accepted once need not be accepted again.
    expect((await compare(fewer, now)).record).toEqual(now);
  });

  it('that are new are refused, and come after the others where there is room and that is accepted', async () => {
    const more = labelled(['ant', 'cat', 'dog', 'owl']);
    await expect(compare(more, pets, { accept: true })).rejects.toThrow(
      /pets: the class "ant" is new, and the model has room for its 3 classes alone\. Leave the others out/,
    );
    await expect(compare(more, pets, { classes: 5 })).rejects.toThrow(
      /the class "ant" is new\. .*never trained/,
    );
    const { source, record } = await compare(more, pets, { classes: 5, accept: true });
    expect(await labelsOf(source, 4)).toEqual([3, 0, 1, 2]);
    expect(record.classNames).toEqual(['cat', 'dog', 'owl', 'ant']);
  });

  it('without names are refused where the checkpoint has names', async () => {
    await expect(compare(labelled(undefined), pets)).rejects.toThrow(/its classes have no names/);
    const { record } = await compare(labelled(undefined), pets, { accept: true });
    expect(record.classNames).toEqual(pets.classNames);
  });

  it('with names are said where the checkpoint has none, unless it is one that tells nothing', async () => {
    const { classNames: _, ...unnamed } = pets;
    const { notices } = await compare(labelled(['cat', 'dog', 'owl']), unnamed);
    expect(notices).toEqual(['pets: its classes have names now: 0 cat, 1 dog, 2 owl.']);
    expect((await compare(labelled(['cat', 'dog', 'owl']), {})).notices).toEqual([]);
  });

  it('without names are counted', async () => {
    const known: DataRecord = { told: 'class', classes: 2 };
    expect((await compare(labelled(undefined, { classes: 2 }), known)).notices).toEqual([]);
    expect((await compare(labelled(undefined, { classes: 1 }), known)).notices).toEqual([
      'pets: it has 1 class without names, where the checkpoint has 2.',
    ]);
    await expect(compare(labelled(undefined), known)).rejects.toThrow(/it has 3 classes .* never trained/);
    await expect(compare(labelled(undefined), known, { classes: 2, accept: true })).rejects.toThrow(
      /where the checkpoint has 2, and the model has room for its 2 classes alone\. Leave the others out/,
    );
  });

  it('are of no concern to a model that is told none', async () => {
    const { notices } = await compare(labelled(['a', 'b']), { ...pets, told: 'nothing' }, untold);
    expect(notices).toEqual([]);
  });

  it('name a sample whose label is outside of them', async () => {
    const odd = labelled(['owl', 'cat', 'dog'], { read: () => ({ label: 5 }) });
    const { source } = await compare(odd, pets);
    await expect(labelsOf(source, 1)).rejects.toThrow(/sample 0 of pets: has label 5, outside of \[0, 3\)/);
  });
});

const record: ExpressionRecord = {
  kind: 'expression',
  genes: ['A', 'B', 'C'],
  normalize: 'log1p',
  target: 10_000,
  center: [1, 2, 3],
  deviation: [1, 2, 4],
  zeroBelow: [0.5],
};
const cells: DataRecord = { record, told: 'nothing', shape: [3], count: 2 };

/** One cell, whose genes have these values in the scale of the record. */
function expression(meaning: ExpressionRecord, values: readonly number[]): Source {
  return {
    name: 'cells.h5ad',
    count: 2,
    shape: [meaning.genes.length],
    record: meaning,
    read(_, out, offset) {
      out.set(values, offset);
      return {};
    },
  };
}

async function firstCell(source: Source): Promise<number[]> {
  const out = new Float32Array(source.shape[0]!);
  await source.read(0, out, 0, key);
  return [...out];
}

describe('genes', () => {
  it('in another order are mapped by name, to the bit', async () => {
    const permuted = { ...record, genes: ['C', 'A', 'B'], center: [3, 1, 2], deviation: [4, 1, 2] };
    const { source, notices, ...found } = await compare(expression(permuted, [0.3, 0.1, 0.2]), cells, untold);
    expect(await firstCell(source)).toEqual([...Float32Array.of(0.1, 0.2, 0.3)]);
    expect(found.record.record).toEqual(record);
    expect(source.record).toEqual(record);
    expect(notices).toEqual(['cells.h5ad: its genes stand in another order: values are taken by name.']);
  });

  it('keep the scale of the checkpoint where that of the data is another', async () => {
    const moved = { ...record, center: [1, 2, 7], deviation: [1, 2, 8] };
    const { source, notices } = await compare(expression(moved, [0.1, 0.2, 0.5]), cells, untold);
    // (0.5 * 8 + 7 - 3) / 4
    expect(await firstCell(source)).toEqual([...Float32Array.of(0.1, 0.2, 2)]);
    expect(source.record).toEqual(record);
    expect(notices).toEqual([
      expect.stringMatching(/other means or deviations: values keep the checkpoint's scale/),
    ]);
  });

  it('have the scale of the checkpoint without a word where rounding alone tells them apart', async () => {
    const meet = async (center: number) =>
      (await compare(expression({ ...record, center: [1, 2, center] }, [0, 0, 0]), cells, untold)).notices;
    expect(await meet(3 * (1 + 1e-5))).toEqual([]);
    expect(await meet(3 * (1 + 1e-3))).toEqual([expect.stringMatching(/other means or deviations/)]);
  });

  it('may come with classes of another column, which is said', async () => {
    const known = { ...cells, record: { ...record, label: 'type' } };
    const meet = async (members: Partial<ExpressionRecord>) =>
      (await compare(expression({ ...record, ...members }, [0, 0, 0]), known, untold)).notices;
    expect(await meet({ label: 'type' })).toEqual([]);
    expect(await meet({ label: 'batch' })).toEqual([
      'cells.h5ad: classes are those of obs/batch, where the checkpoint has obs/type.',
    ]);
    expect(await meet({})).toEqual([
      'cells.h5ad: classes are those of no column, where the checkpoint has obs/type.',
    ]);
  });

  it('that are missing are refused in any case', async () => {
    const fewer = { ...record, genes: ['A', 'B', 'X'] };
    await expect(compare(expression(fewer, [1, 2, 3]), cells, { ...untold, accept: true })).rejects.toThrow(
      'cells.h5ad: the gene C is missing, of the 3 that the model knows. Give a file that has them, or train a new run.',
    );
  });

  it('that are new are left out where that is accepted', async () => {
    const more = { ...record, genes: ['N', ...record.genes], center: [9, 1, 2, 3], deviation: [9, 1, 2, 4] };
    const source = expression(more, [9, 0.5, 1, 2]);
    await expect(compare(source, cells, untold)).rejects.toThrow(/the gene N is new\..* leaves them out/);
    const accepted = await compare(source, cells, { ...untold, accept: true });
    expect(accepted.source.shape).toEqual([3]);
    expect(await firstCell(accepted.source)).toEqual([0.5, 1, 2]);
  });

  it('cannot be mapped where two have one name, unless nothing has to be', async () => {
    const known: DataRecord = { ...cells, record: { ...record, genes: ['A', 'A', 'C'] } };
    const same = expression({ ...record, genes: ['A', 'A', 'C'] }, [1, 2, 3]);
    expect((await compare(same, known, untold)).notices).toEqual([]);
    const other = expression({ ...record, genes: ['C', 'A', 'A'] }, [1, 2, 3]);
    await expect(compare(other, known, untold)).rejects.toThrow(
      /another order than in the checkpoint, and A more than once/,
    );
  });

  it('that are normalised otherwise are refused, with what differs', async () => {
    const other = expression({ ...record, target: 100 }, [1, 2, 3]);
    await expect(compare(other, cells, untold)).rejects.toThrow(
      /normalised otherwise: target 10000 -> 100\. /,
    );
    const accepted = await compare(other, cells, { ...untold, accept: true });
    expect(accepted.source.record).toMatchObject({ target: 100 });
  });
});

describe('values', () => {
  const latents = { kind: 'latents', scale: 0.18, shift: 0 };
  const known: DataRecord = { record: latents, told: 'nothing' };
  const source = (members: Partial<Source>): Source => ({
    name: 'latents.npy',
    count: 2,
    shape: [4, 2, 2],
    read: () => ({}),
    ...members,
  });

  it('of another scale are refused', async () => {
    const other = source({ record: { ...latents, scale: 0.13 } });
    await expect(compare(other, known, untold)).rejects.toThrow(/another meaning: scale 0\.18 -> 0\.13\. /);
    const { record: now } = await compare(other, known, { ...untold, accept: true });
    expect(now.record).toEqual(other.record);
  });

  it('that are images are no latents, and the other way round', async () => {
    await expect(compare(source({}), known, untold)).rejects.toThrow(
      /values are images, where the checkpoint has latents/,
    );
    const images: DataRecord = { told: 'nothing' };
    await expect(compare(source({ record: latents }), images, untold)).rejects.toThrow(
      /are latents, .* images/,
    );
    // Of a checkpoint that tells nothing there is nothing to compare with.
    expect((await compare(source({ record: latents }), {}, untold)).notices).toEqual([]);
  });
});

describe('captions', () => {
  it('that become other tokens are refused', async () => {
    const known: DataRecord = { told: 'caption', captionEncoder: 'a' };
    const source = labelled(undefined);
    const told = { told: 'caption', captionEncoder: 'b' } as const;
    await expect(compare(source, known, told)).rejects.toThrow(/captions become other tokens or embeddings/);
    expect((await compare(source, known, { ...told, captionEncoder: 'a' })).notices).toEqual([]);
  });
});

describe('samples', () => {
  it('of another shape are refused in any case', async () => {
    const other = labelled(pets.classNames, { shape: [1, 8, 8] });
    await expect(compare(other, pets, { accept: true })).rejects.toThrow(
      /^pets: samples are \[1, 8, 8\], those of \S+step-0000004 were \[1\]\. Set the size of the data back/,
    );
  });
});

describe('sets', () => {
  it('that grew or shrank are said, with both numbers', async () => {
    const { notices } = await compare(labelled(pets.classNames), { ...pets, count: 8 });
    expect(notices).toEqual(['pets: the set had 8 samples, now it has 6.']);
  });

  it('that are others are said', async () => {
    const source = labelled(pets.classNames, { fingerprint: () => 'b' });
    const { record: now, notices } = await compare(source, { ...pets, fingerprint: 'a' });
    expect(notices).toEqual([expect.stringMatching(/6 samples as before, but not the same ones/)]);
    expect(now.fingerprint).toBe('b');
    expect((await compare(source, now)).notices).toEqual([]);
  });
});
