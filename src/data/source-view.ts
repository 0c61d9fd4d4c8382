// A source seen in another way. A source may be a class, whose methods lie on its prototype and need their `this`: a spread
// would lose them.
import type { Inspectable } from './inspect.ts';
import type { Source } from './source.ts';

type Members = Source & Partial<Inspectable>;

/** All there are: what is added to a source and forgotten here does not compile. */
const names = Object.keys({
  name: true,
  count: true,
  shape: true,
  sizes: true,
  classes: true,
  classNames: true,
  captions: true,
  severalCaptions: true,
  paired: true,
  record: true,
  told: true,
  unused: true,
  remarks: true,
  examples: true,
  isFixed: true,
  read: true,
  caption: true,
  describe: true,
  inspect: true,
  fingerprint: true,
  close: true,
} satisfies Record<keyof Members, true>) as (keyof Members)[];

/** The members of a source in an object that may be spread: facts as they are, methods bound to the source. */
export function membersOf(source: Members): Members {
  const members = names.flatMap((name): [string, unknown][] => {
    const value = source[name];
    if (value === undefined) return [];
    return [[name, typeof value === 'function' ? (value as Function).bind(source) : value]];
  });
  return Object.fromEntries(members) as unknown as Members;
}

/**
 * Some samples of a source.
 * @param count of them
 * @param place where each is in `source`
 */
export function selectSamples(source: Source, count: number, place: (index: number) => number): Source {
  // What tells the whole set says nothing of a part.
  const { fingerprint: _, ...members } = membersOf(source);
  const { caption, inspect, sizes } = members;
  return {
    ...members,
    count,
    ...(sizes?.of && { sizes: { ...sizes, of: (index: number) => sizes.of!(place(index)) } }),
    read: (index, out, offset, key) => source.read(place(index), out, offset, key),
    describe: (index) => members.describe?.(place(index)) ?? `sample ${place(index)}`,
    ...(caption && { caption: (index: number) => caption(place(index)) }),
    ...(inspect && { inspect: (index: number) => inspect(place(index)) }),
  };
}
