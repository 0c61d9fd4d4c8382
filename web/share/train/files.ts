// From what is dropped or chosen to pictures by folder.
import type { GivenPicture } from './pictures.ts';

/** Files of an `<input type=file>`: of one for folders each tells its path. */
export function chosenPictures(files: Iterable<File>): GivenPicture[] {
  return Array.from(files, (file) => given(file, file.webkitRelativePath || file.name)).toSorted(byPath);
}

/**
 * Files and folders that were dropped, with all that is in the folders.
 * @throws DOMException where one cannot be read
 */
export async function droppedPictures(data: DataTransfer): Promise<GivenPicture[]> {
  // The list is empty as soon as anything is waited for.
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry());
  const files = Array.from(data.files);
  const known = entries.filter((entry) => entry !== null);
  if (known.length === 0) return chosenPictures(files);
  return (await Promise.all(known.map(picturesOf))).flat().toSorted(byPath);
}

async function picturesOf(entry: FileSystemEntry): Promise<GivenPicture[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    });
    return [given(file, entry.fullPath.replace(/^\//, ''))];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: GivenPicture[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    // A hundred at a time, and none at the end.
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(picturesOf))).flat());
  }
}

function given(file: File, path: string): GivenPicture {
  return { path, folder: path.split('/').at(-2) ?? '', origin: { file } };
}

/** Whatever order a system tells them in. */
function byPath({ path: a }: GivenPicture, { path: b }: GivenPicture): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
