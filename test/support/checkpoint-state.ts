// state.json of a checkpoint as an earlier version, or a forger, would have written it: with the checksum that belongs to it.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

type Members = Record<string, any>;

/** @param change returns all members but the checksum, those of `state` in it */
export async function rewriteState(checkpoint: string, change: (members: Members) => Members): Promise<void> {
  const file = join(checkpoint, 'state.json');
  const { sha256: _, ...members } = JSON.parse(await readFile(file, 'utf8')) as Members;
  const changed = change(members);
  const sha256 = createHash('sha256').update(JSON.stringify(changed)).digest('hex');
  await writeFile(file, `${JSON.stringify({ ...changed, sha256 }, null, 2)}\n`);
}
