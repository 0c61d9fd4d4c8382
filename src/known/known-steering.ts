import { parseJsonObject } from '../formats/json.ts';
import { readRegular } from '../host/regular-file.ts';
import { steeringOf } from '../runs/steering-events.ts';
import type { SteeringEvent } from '../steering/event.ts';

/**
 * How the run was changed while it trained of which `rectiflow repro` wrote a file; nothing for other files, and recipes.
 * @param target as `loadConfig` takes it, which says what is wrong with a file that cannot be read
 * @throws RectiflowError where that is damaged
 */
export async function steeringOfReproduction(target: string): Promise<readonly SteeringEvent[]> {
  if (!target.endsWith('.json')) return [];
  const bytes = await readRegular(target).catch(() => undefined);
  const events = bytes && parseJsonObject(bytes, target, 'Correct the file')['steering'];
  return Array.isArray(events) ? steeringOf(events, target) : [];
}
