// Files and folders that are dropped onto a page, as from the desktop.
import type { Locator, Page } from 'playwright-core';

/** @param paths of files and folders of this machine */
export async function dropFiles(page: Page, onto: Locator, paths: readonly string[]): Promise<void> {
  await onto.scrollIntoViewIfNeeded();
  const box = (await onto.boundingBox())!;
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...paths], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, x: box.x + 20, y: box.y + 10, data });
  await session.detach();
}
