// A command loads what it does once it is chosen: all of them together take half a second to load.
import { Command } from 'commander';
import { averageCommand } from './average.ts';
import { version } from '../host/machine.ts';
import { compareCommand } from './compare.ts';
import { dataCommand } from './data.ts';
import { doctorCommand } from './doctor.ts';
import { exportCommand } from './export.ts';
import { growCommand } from './grow.ts';
import { importCommand } from './import.ts';
import { infoCommand } from './info.ts';
import { numbersHelp } from './options.ts';
import { commanderOutput } from './print.ts';
import { planCommand } from './plan.ts';
import { replayCommand } from './replay.ts';
import { reflowCommand } from './reflow.ts';
import { leaveToFirst } from './ranks.ts';
import { reproCommand } from './repro.ts';
import { resumeCommand } from './resume.ts';
import { sampleCommand } from './sample.ts';
import { steerCommand } from './steer.ts';
import { shareCommand } from './share.ts';
import { straightnessCommand } from './straightness.ts';
import { trainCommand } from './train.ts';
import { watchCommand } from './watch.ts';

/** What several processes do together. */
const ofRanks = new Set(['train', 'resume']);

const program = new Command('rectiflow')
  .description('Trains Diffusion Transformers (DiT) with rectified flow, and makes samples with them.')
  .version(version, '-V, --version', 'show the version')
  .helpOption('-h, --help', 'show help')
  .helpCommand('help [command]', 'show help for a command')
  // `compare` and `compare ddpm` have options of the same names.
  .enablePositionalOptions()
  .configureOutput(commanderOutput)
  .hook('preAction', (_, command) => {
    if (!ofRanks.has(command.name())) leaveToFirst(command.name());
  })
  .showHelpAfterError('(add --help for all options)')
  .addHelpText(
    'after',
    `
Try:
  rectiflow train digits                      train on handwritten digits
  rectiflow watch                             show all runs in the browser, while they train and afterwards
  rectiflow sample runs/digits --labels 0-9   make digits with what was trained
  rectiflow data check my-config.yaml         say what is wrong with your own data
  rectiflow doctor my-config.yaml             check all that training on it needs, before it begins

${numbersHelp} A run is named by its folder, and runs/ before it may be left out.`,
  );

for (const command of [
  trainCommand(),
  resumeCommand(),
  steerCommand(),
  watchCommand(),
  sampleCommand(),
  doctorCommand(),
  planCommand(),
  averageCommand(),
  compareCommand(),
  reflowCommand(),
  straightnessCommand(),
  infoCommand(),
  reproCommand(),
  replayCommand(),
  importCommand(),
  growCommand(),
  exportCommand(),
  shareCommand(),
  dataCommand(),
]) {
  program.addCommand(command.copyInheritedSettings(program));
  for (const part of command.commands) part.copyInheritedSettings(command);
}

/** Does what the command line asks for. */
export async function runProgram(): Promise<void> {
  // A run must not end because nobody reads along any more: `train ... | head`, or a terminal that was closed.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  await program.parseAsync();
}
