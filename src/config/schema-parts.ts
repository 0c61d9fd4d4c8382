// What the schema of a config is made of. A message says what was wanted.
import { z } from 'zod';

export const settings = <Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> => z.strictObject(shape, { error: Object.keys(shape).join(', ') });

export function number(wanted: string, test: (value: number) => boolean): z.ZodNumber {
  return z.number({ error: wanted }).refine(test, { error: wanted });
}

export const whole = (from: number, to: number = Infinity): z.ZodNumber =>
  number(
    `a whole number from ${from}${to < Infinity ? ` to ${to}` : ''}`,
    (value) => Number.isSafeInteger(value) && value >= from && value <= to,
  );
export const powerOfTwo = (to: number): z.ZodNumber =>
  number(
    `a power of two from 1 to ${to}`,
    (value) => value >= 1 && value <= to && Number.isInteger(Math.log2(value)),
  );
export const above0: z.ZodNumber = number('a number above 0', (value) => value > 0);
export const from0: z.ZodNumber = number('a number from 0', (value) => value >= 0);
export const fraction: z.ZodNumber = number('a number from 0 to 1', (value) => value >= 0 && value <= 1);
export const below1: z.ZodNumber = number('a number from 0, below 1', (value) => value >= 0 && value < 1);
export const flag: z.ZodBoolean = z.boolean({ error: 'true or false' });

export const wholeOrAuto: z.ZodType<number | 'auto'> = z.custom<number | 'auto'>(
  (value) => value === 'auto' || whole(1).safeParse(value).success,
  { error: 'a whole number from 1, or auto' },
);

export function oneOf<const Name extends string>(...names: Name[]): z.ZodEnum<z.core.util.ToEnum<Name>> {
  return z.enum(names, { error: `one of ${names.join(', ')}` });
}

/** The message of settings of several forms, which one of them names. */
export function variant(name: string, ...names: string[]): (issue: { code?: string }) => string {
  return ({ code }) => (code === 'invalid_union' ? `one of ${names.join(', ')}` : name);
}

export function text(wanted: string): z.ZodString {
  return z.string({ error: wanted }).min(1, { error: wanted });
}

/** Of a model's images: 4096 x 4096. */
export const mostPixels: number = 2 ** 24;
/** @param items what they are, with an example */
export function list<Item extends z.ZodType>(item: Item, most: number, items: string): z.ZodArray<Item> {
  const wanted = `a list of ${items}`;
  return z.array(item, { error: wanted }).max(most, { error: `${wanted}; ${most} at most` });
}

const sideLengths = 'a whole number from 1, or two: [height, width]';
const mostLengths = `sides of at most ${mostPixels} pixels in all`;

/** The size of an image; one number is a square. */
export const side: z.ZodType<number | [number, number]> = z
  .union([whole(1), z.tuple([whole(1), whole(1)])], { error: sideLengths })
  .refine((size) => (typeof size === 'number' ? size * size : size[0] * size[1]) <= mostPixels, {
    error: mostLengths,
  });
