/** Case, runs of spaces and the way in which accents are written make no difference, as in CLIP. */
export function plainCaption(caption: string): string {
  return caption.normalize('NFC').replace(/\s+/gu, ' ').trim().toLowerCase();
}
