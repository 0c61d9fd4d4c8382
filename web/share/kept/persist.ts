/**
 * Asks that the browser does not clear the storage of this origin by itself, as it may where the disk is full. For pages: workers cannot ask.
 * @returns whether it promises that
 */
export async function persist(): Promise<boolean> {
  return (await navigator.storage?.persist?.()) ?? false;
}
