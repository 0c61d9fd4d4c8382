// Sums and shares what test/distributed/programs/arrays.ts makes, and reports the digest of what came of it.
import { createHash } from 'node:crypto';
import { arraysOf, cases, ownRanges } from './arrays.ts';
import { joinRanks, report } from './join.ts';

const communicator = await joinRanks();
const { rank, ranks, hosts, library, localRank, localRanks } = communicator;
const digests: Record<string, string> = {};
for (const each of cases) {
  const arrays = arraysOf(each, rank, ranks);
  await communicator.sumRanges(arrays);
  digests[`${each.name}: sum`] = digest(ownRanges(arrays, rank));
  await communicator.shareRanges(arrays);
  digests[`${each.name}: share`] = digest(...arrays.map(({ values }) => values));
  const rounded = arraysOf(each, rank, ranks);
  await communicator.sumRanges(rounded, 'bf16');
  digests[`${each.name}: rounded`] = digest(ownRanges(rounded, rank));
}
// Asked for all at once, they are done one after the other.
const many = cases.map((each) => arraysOf(each, rank, ranks));
await Promise.all([
  ...many.map((arrays) => communicator.sumRanges(arrays)),
  ...many.map((arrays) => communicator.shareRanges(arrays)),
]);
digests['at once'] = digest(...many.flatMap((arrays) => arrays.map(({ values }) => values)));

const gathered = await communicator.gather(Float32Array.of(rank, rank / 3));
const json = await communicator.gatherJson({ rank, text: 'é'.repeat(rank * 300_000) });
report(rank, {
  rank,
  ranks,
  hosts,
  library,
  localRank,
  localRanks,
  digests,
  gathered: [...gathered],
  texts: json.map((each) => [each.rank, each.text.length]),
  nothing: await communicator.gatherJson(undefined),
  traffic: communicator.traffic(),
});
await communicator.close();

function digest(...arrays: readonly Float32Array[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of arrays)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}
