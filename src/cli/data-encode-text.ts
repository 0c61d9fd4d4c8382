import { type Command, Option } from 'commander';
import { installCommand } from '../host/optional-package.ts';
import { dataCommandOf } from './data-command.ts';
import { formatInteger } from './format.ts';
import { collect, wholeNumber } from './options.ts';
import { shortPath } from './paths.ts';
import { linesOf, print } from './print.ts';
import { runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

interface Options {
  readonly set?: readonly string[];
  readonly model: string;
  readonly tokenizer: string;
  readonly to: string;
  readonly length: number;
  readonly prompt?: readonly string[];
  readonly precision: 'float16' | 'float32';
}

export function dataEncodeTextCommand(): Command {
  return dataCommandOf('encode-text')
    .summary('encode captions once, by a text encoder that is not trained')
    .description(
      'Encodes every caption of the data and of sample.prompts by a text encoder exported to ONNX, such as that of CLIP or T5. ' +
        'Training and sampling then read its embeddings from the file, and need the encoder no more. ' +
        `Takes the package onnxruntime-node: ${installCommand('onnxruntime-node')}`,
    )
    .requiredOption('--model <file>', 'the text encoder: input_ids to last_hidden_state')
    .requiredOption('--tokenizer <file>', 'its tokenizer.json')
    .requiredOption('-t, --to <file>', 'the .safetensors file to write')
    .option('--length <tokens>', 'longer captions are cut; those of CLIP have 77', wholeNumber(2), 77)
    .option(
      '-p, --prompt <caption>',
      'a caption to encode too: samples can be asked for those in the file only; may be given several times',
      collect,
    )
    .addOption(
      new Option('--precision <type>', 'of the embeddings in the file')
        .choices(['float16', 'float32'])
        .default('float16'),
    )
    .addHelpText(
      'after',
      `
Example:
  rectiflow data encode-text my-config.yaml --model text_encoder.onnx --tokenizer tokenizer.json --to captions.safetensors`,
    )
    .action(async (target: string, { set, to, prompt: prompts, ...options }: Options) => {
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { loadConfig } = await import('../config/load-config.ts');
        const { encodeText } = await import('../api/data.ts');
        const { parsed } = await loadConfig(target, set, onNotice);
        const count = await encodeText(parsed, to, {
          ...options,
          prompts,
          signal,
          onNotice,
          onProgress: (done, total) =>
            show(`encoding ${formatInteger(done)} of ${counted(total, 'caption')}`),
        });
        clear();
        const { stringify } = await import('yaml');
        print(
          `${counted(count, 'caption')}, the empty one among them: ${shortPath(to)}`,
          '',
          'To train with them, put this into the config:',
          '',
          ...linesOf(stringify({ model: { text: { embeddings: shortPath(to), length: options.length } } })),
        );
      });
    });
}
