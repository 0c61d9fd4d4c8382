// Pictures of the visitor: what is given, and what of it can be learnt from.

/** A picture that is drawn here, for visitors who have none at hand. */
export const drawnKinds = ['discs', 'squares'] as const;
export type DrawnKind = (typeof drawnKinds)[number];

/** A file, or one of the drawn pictures, by its number. */
export type PictureOrigin = { readonly file: File } | { readonly drawn: DrawnKind; readonly number: number };

export interface GivenPicture {
  /** How people call it: its path below what was dropped or chosen. */
  readonly path: string;
  /** The folder that directly holds it; empty where none does. */
  readonly folder: string;
  readonly origin: PictureOrigin;
}

/** Why a file is not learnt from, as the end of a sentence that begins with its name. */
export class NoPicture extends Error {}

/** [H, W] and channels that pictures become. */
export interface PictureForm {
  readonly size: readonly [height: number, width: number];
  readonly channels: 1 | 3;
}

/** What was read of all that is given. */
export interface FoundPictures {
  readonly form: PictureForm;
  /** By name. Folders of one name are one class. */
  readonly classes: readonly { readonly name: string; readonly count: number }[];
  readonly count: number;
  /** Of all pictures, as they are learnt from. */
  readonly bytes: number;
  /** Files that tell captions of these. */
  readonly captionFiles: number;
  /** What is not learnt from, and why. */
  readonly problems: readonly { readonly path: string; readonly reason: string }[];
}

/** Bytes that pictures may take in this tab: beyond, browsers end it. */
export const mostBytes: number = 1 << 30;

export function bytesOf({ size: [height, width], channels }: PictureForm): number {
  return height * width * channels;
}

/** As many of each kind. */
export function drawnPictures(count: number): GivenPicture[] {
  return drawnKinds.flatMap((drawn) =>
    Array.from({ length: count }, (_, number) => ({
      path: `${drawn}/${number + 1}`,
      folder: drawn,
      origin: { drawn, number },
    })),
  );
}

/** What of `more` is not among `given`: another time the same file, unchanged and at the same path, would count twice. */
export function newPictures(
  given: readonly GivenPicture[],
  more: readonly GivenPicture[],
): readonly GivenPicture[] {
  const known = new Set(given.map(identityOf));
  return more.filter((picture) => {
    const identity = identityOf(picture);
    return !known.has(identity) && known.add(identity);
  });
}

function identityOf({ path, origin }: GivenPicture): string {
  return JSON.stringify('file' in origin ? [path, origin.file.size, origin.file.lastModified] : [path]);
}
