import { digitsSource } from '../data/digits.ts';
import { openExpression } from '../data/expression/source.ts';
import type { Source } from '../data/source.ts';
import { configError } from './config-problems.ts';
import type { DataConfig } from '../data/settings.ts';

/**
 * The data that a config names.
 * @throws RectiflowError when it is not there, is damaged, or only a program can give it
 */
export async function openSource(data: DataConfig): Promise<Source> {
  switch (data.source) {
    case 'digits':
      return digitsSource(data);
    case 'expression':
      return openExpression(data);
    default:
      throw configError('config', [
        'data.source: custom data is handed over by the program that trains. Run or resume it from that program',
      ]);
  }
}
