// What the schema of a config is made of. A message says what was wanted.
import { z } from 'zod';

export const settings = <Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> => z.strictObject(shape, { error: Object.keys(shape).join(', ') });

export function number(wanted: string, test: (value: number) => boolean): z.ZodNumber {
  return z.number({ error: wanted }).refine(test, { error: wanted });
}

export const whole = (from: number): z.ZodNumber =>
  number(`a whole number from ${from}`, (value) => Number.isSafeInteger(value) && value >= from);
export const above0: z.ZodNumber = number('a number above 0', (value) => value > 0);
export const from0: z.ZodNumber = number('a number from 0', (value) => value >= 0);
export const fraction: z.ZodNumber = number('a number from 0 to 1', (value) => value >= 0 && value <= 1);
export const below1: z.ZodNumber = number('a number from 0, below 1', (value) => value >= 0 && value < 1);
export const flag: z.ZodBoolean = z.boolean({ error: 'true or false' });

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

const sideLengths = 'a whole number from 1, or two: [height, width]';

/** The size of an image; one number is a square. */
export const side: z.ZodType<number | [number, number]> = z.union([whole(1), z.tuple([whole(1), whole(1)])], {
  error: sideLengths,
});
