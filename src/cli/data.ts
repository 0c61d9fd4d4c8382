import { Command } from 'commander';
import { dataCheckCommand } from './data-check.ts';
import { dataEncodeCommand } from './data-encode.ts';
import { dataEncodeTextCommand } from './data-encode-text.ts';
import { dataGetCommand } from './data-get.ts';
import { dataPackCommand } from './data-pack.ts';
import { dataPreviewCommand } from './data-preview.ts';
import { dataVerifyCommand } from './data-verify.ts';

export function dataCommand(): Command {
  const group = new Command('data')
    .summary('fetch, check, show, pack and encode data')
    .description(
      'What to do with data before a training: fetch them, check them, look at them, pack them, encode them.',
    )
    .addHelpText(
      'after',
      `
Examples:
  rectiflow data get emoji
  rectiflow data check my-config.yaml
  rectiflow data preview my-config.yaml
  rectiflow data pack my-config.yaml --to packed`,
    );
  const commands = [
    dataGetCommand(),
    dataCheckCommand(),
    dataPreviewCommand(),
    dataPackCommand(),
    dataVerifyCommand(),
    dataEncodeCommand(),
    dataEncodeTextCommand(),
  ];
  for (const command of commands) group.addCommand(command);
  return group;
}
