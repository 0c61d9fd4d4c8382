import { openArray } from '../data/array-source.ts';
import { digitsSource } from '../data/digits.ts';
import { emojiSource } from '../data/emoji.ts';
import { openExpression } from '../data/expression/source.ts';
import { fashionSource } from '../data/fashion.ts';
import { openIdx } from '../data/idx-source.ts';
import { openFolder } from '../data/images/folder.ts';
import { openParquet } from '../data/parquet.ts';
import type { DataConfig } from '../data/settings.ts';
import { openShards } from '../data/shards.ts';
import type { Source } from '../data/source.ts';
import { configError } from './config-problems.ts';

/**
 * The data that a config names.
 * @throws RectiflowError when it is not there, is damaged, or only a program can give it
 */
export async function openSource(data: DataConfig): Promise<Source> {
  switch (data.source) {
    case 'digits':
      return digitsSource(data);
    case 'fashion':
      return fashionSource(data);
    case 'emoji':
      return emojiSource(data);
    case 'folder':
      return openFolder(data);
    case 'shards':
      return openShards(data);
    case 'parquet':
      return openParquet(data);
    case 'idx':
      return openIdx(data);
    case 'array':
      return openArray(data);
    case 'expression':
      return openExpression(data);
    case 'custom':
      throw configError('config', [
        'data.source: custom data is handed over by the program that trains. Run or resume it from that program',
      ]);
  }
}
