// Pictures of the server as addresses that an <img> can show, and as frames that are decoded ahead. Both need the token, which only
// `fetch` sends.
import { request } from './client.ts';

/** What is said of a picture of which browsers would show a part at most, or nothing at all. */
export const damagedPicture =
  'This picture cannot be shown: its file is damaged, or was not written to its end.';

/** @returns the address of a copy in memory; who asked gives it back with `URL.revokeObjectURL` */
export async function pictureUrl(path: string, signal: AbortSignal): Promise<string> {
  return URL.createObjectURL(await wholePicture(path, { signal }));
}

export async function bitmap(path: string): Promise<ImageBitmap> {
  const picture = await wholePicture(path);
  return createImageBitmap(picture).catch(() => {
    throw new Error(damagedPicture);
  });
}

/** @throws Error of one that does not end as each PNG does */
async function wholePicture(path: string, options: RequestInit = {}): Promise<Blob> {
  const picture = await (await request(path, options)).blob();
  const end = await picture.slice(-8).text();
  if (!end.startsWith('IEND')) throw new Error(damagedPicture);
  return picture;
}
