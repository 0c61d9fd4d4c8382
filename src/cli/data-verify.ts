import { Command } from 'commander';
import { formatBytes } from './format.ts';
import { shortPath } from './paths.ts';
import { print } from './print.ts';
import { runTask } from './task.ts';
import { counted } from '../tensor/counted.ts';

export function dataVerifyCommand(): Command {
  return new Command('verify')
    .summary('compare packed or encoded data, or pairs, with their checksums')
    .description(
      'Reads every file of a folder made by `rectiflow data pack`, `data encode` or `reflow` and compares its checksum.',
    )
    .argument('<folder>', 'the folder, such as packed')
    .action(async (folder: string) => {
      await runTask(async ({ signal, show, clear }) => {
        const { verifyData } = await import('../api/verify.ts');
        const { count, files } = await verifyData(folder, (done, total) => {
          signal.throwIfAborted();
          show(`reading ${formatBytes(done)} of ${formatBytes(total)}`);
        });
        clear();
        const total = `${counted(count, 'sample')} in ${counted(files, 'file')}`;
        print(`${shortPath(folder)}: ${total}, as they were written`);
      });
    });
}
