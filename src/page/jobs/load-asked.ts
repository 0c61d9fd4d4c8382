import { type LoadedConfig, loadConfig, loadConfigText } from '../../config/load-config.ts';
import type { AskedConfig } from './calls.ts';

/** How what the user typed is called. */
export const typedConfig = 'the config';

/**
 * @param mayLackData whether a recipe will do whose data nobody has named
 * @throws RectiflowError naming what is wrong as the user typed it
 */
export function loadAsked(config: AskedConfig, mayLackData: boolean): Promise<LoadedConfig> {
  return 'text' in config
    ? loadConfigText(config.text, typedConfig, config.settings, mayLackData)
    : loadConfig(config.recipe, config.settings, undefined, mayLackData);
}
