import { z } from 'zod';
import type { SinksConfig } from '../sinks/settings.ts';
import { flag, settings, text } from './schema-parts.ts';

const wanted = 'an address as in http://localhost:5000, without a name or a password in it';

const address = z.string({ error: wanted }).refine(isAddress, { error: wanted });

function isAddress(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, username, password, search, hash } = new URL(given);
  return /^https?:$/.test(protocol) && username + password + search + hash === '';
}

type Given = Omit<SinksConfig, 'tensorboard'> & { readonly tensorboard?: boolean | undefined };

/** Strict, so that no secret can be among the settings: config.json is for everyone to read. */
export const sinksSchema: z.ZodType<SinksConfig, Given> = settings({
  tensorboard: flag.default(true),
  wandb: settings({
    project: text('the name of a project'),
    entity: text('the name of a user or a team').exactOptional(),
    url: address.exactOptional(),
  }).exactOptional(),
  mlflow: settings({ url: address, experiment: text('the name of an experiment') }).exactOptional(),
});
