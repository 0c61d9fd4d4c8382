// The schema of the settings of a model, made of the descriptions of all kinds.
import { z } from 'zod';
import { type KindName, type ModelSettings, kindNames, kindOf } from '../models/kinds/index.ts';
import type { AnySettings, Setting } from '../models/kinds/setting.ts';
import type { TextConfig } from '../train/settings.ts';
import { above0, flag, from0, list, oneOf, settings, side, text, whole } from './schema-parts.ts';

export type Given<T> = { readonly [Key in keyof T]?: T[Key] | undefined };

/** What is given of a model, whatever its kind. */
export interface ParsedModel extends Given<Omit<ModelSettings, 'text'>> {
  readonly kind?: KindName | undefined;
  readonly preset?: string | undefined;
  readonly text?: Given<TextConfig> | undefined;
}

/** Of numbers of one setting. */
const mostListed = 64;

function schemaOf(setting: Setting): z.ZodType {
  switch (setting.type) {
    case 'whole':
      return whole(setting.from);
    case 'above 0':
      return above0;
    case 'from 0':
      return from0;
    case 'wholes':
      return list(whole(setting.from), mostListed, 'whole numbers, as in [32, 64]').min(1, {
        error: 'a list of at least one',
      });
    case 'flag':
      return flag;
    case 'size':
      return side.transform((size) => (typeof size === 'number' ? [size, size] : size));
    case 'choice':
      return oneOf(...setting.names);
    case 'text':
      return text(setting.wanted);
    case 'settings':
      return settings(optional(setting.settings));
  }
}

function optional(described: AnySettings): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(described).map(([name, setting]) => [name, schemaOf(setting).optional()]),
  );
}

const ofAnyKind: AnySettings = Object.assign({}, ...kindNames.map((name) => kindOf(name).settings));

/** Which of them the kind has is known once the kind is. */
export const modelSchema: z.ZodType<ParsedModel> = settings({
  kind: oneOf(...kindNames).optional(),
  preset: z.string({ error: 'a size and a patch size, as in DiT-S/8' }).optional(),
  ...optional(ofAnyKind),
}) as z.ZodType<ParsedModel>;
