// Pictures of the server as addresses that an <img> can show, and as frames that are decoded ahead. Both need the token, which only
// `fetch` sends.
import { request } from './client.ts';

/** @returns the address of a copy in memory; who asked gives it back with `URL.revokeObjectURL` */
export async function pictureUrl(path: string, signal: AbortSignal): Promise<string> {
  const response = await request(path, { signal });
  return URL.createObjectURL(await response.blob());
}

export async function bitmap(path: string): Promise<ImageBitmap> {
  const response = await request(path);
  return createImageBitmap(await response.blob());
}
