import { Command, Option } from 'commander';
import type { NumberFormat } from '../share/numbers.ts';
import { formatBytes, formatInteger } from './format.ts';
import { numberFrom0, wholeNumber } from './options.ts';
import { findRun, shellWord, shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';

interface Options {
  readonly out: string;
  readonly title?: string;
  readonly note?: string;
  readonly gallery?: string;
  readonly license?: string;
  readonly numbers: NumberFormat | 'auto';
  readonly tolerance?: number;
  readonly weights?: string;
  readonly emaLength?: number;
  readonly checkpoint?: number;
  readonly realCells: boolean;
  readonly force?: boolean;
}

export function shareCommand(): Command {
  return new Command('share')
    .summary('write a page on which anyone makes samples with a run')
    .description(
      'Writes a folder of static files that any web server can give out. Whoever opens its page makes samples on their own device, in the ' +
        'browser: nothing is sent anywhere. Weights are stored in as few bytes as keep samples what they are, which is measured.',
    )
    .argument('<run>', 'the folder of the run, such as runs/digits')
    .requiredOption('-o, --out <folder>', 'the folder to make')
    .option('--title <text>', "over the page (default: the run's name)")
    .option('--note <text>', 'a sentence or two about the model, for its card')
    .option(
      '--gallery <folder>',
      'add the model to a page in Markdown, beside others, as docs/gallery is one',
    )
    .option('--license <file>', 'a text that says what visitors may do with the model')
    .addOption(
      new Option('--numbers <format>', 'how weights are stored; auto: as the tolerance allows')
        .choices(['auto', 'int8', 'float16', 'float32'])
        .default('auto'),
    )
    .option(
      '--tolerance <share>',
      "how far samples may be from the run's own, in proportion to the deviation of their numbers (default: 0.02)",
      numberFrom0(true),
    )
    .option('--weights <which>', 'ema: averaged over the last steps; model: as they are (default: ema)')
    .option(
      '--ema-length <share>',
      'in place of --weights: an average of this length, as `rectiflow average` makes it',
      numberFrom0(true),
    )
    .option('--checkpoint <step>', 'the step of a checkpoint (default: the last)', wholeNumber(0))
    .option(
      '--no-real-cells',
      'of gene expression: do not show where real cells are, nor means of their types',
    )
    .option('-f, --force', 'replace a shared model that is in the folder')
    .addHelpText(
      'after',
      `
Examples:
  rectiflow share runs/digits --out site
  rectiflow share runs/digits --out site --license LICENSE --title "Digits out of noise" --force
  rectiflow share runs/digits --out site --gallery docs/gallery --note "The recipe digits, as it is."`,
    )
    .action(async (given: string, { out, ...options }: Options) => {
      await runTask(async ({ signal, onNotice, show, clear }) => {
        const { shareRun } = await import('../api/share/run.ts');
        const shared = await shareRun(findRun(given), {
          ...options,
          to: out,
          signal,
          onNotice,
          onProgress: show,
        });
        clear();
        const { card, bytes, files, gallery } = shared;
        const { format, rms, largest, samples } = card.difference;
        const measured =
          format === 'float32'
            ? 'exactly as they are'
            : `samples differ by ${rms.toPrecision(2)} of their deviation, ${largest.toPrecision(2)} at most (measured on ${samples})`;
        print(
          `${shortPath(out)}: ${formatInteger(files.length)} files, weights of ${formatBytes(bytes)} in ${format}: ${measured}`,
          ...(gallery ? [`The model is in the gallery ${shortPath(gallery)}`] : []),
          '',
          'Look at it:  ' +
            `python3 -m http.server --bind 127.0.0.1 --directory ${shellWord(shortPath(out))} 8000`,
        );
      });
    });
}
