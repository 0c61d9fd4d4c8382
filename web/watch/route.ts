// Which page is shown, as the address says behind its `#`.

export type Tab = 'curves' | 'samples' | 'make' | 'steer' | 'notices' | 'settings' | 'files';

export const tabs: readonly { readonly name: Tab; readonly label: string }[] = [
  { name: 'curves', label: 'Curves' },
  { name: 'samples', label: 'Samples' },
  { name: 'make', label: 'Make samples' },
  { name: 'steer', label: 'Steer' },
  { name: 'notices', label: 'Notices' },
  { name: 'settings', label: 'Settings' },
  { name: 'files', label: 'Files' },
];

export type Route =
  | { readonly page: 'runs' }
  | { readonly page: 'run'; readonly run: string; readonly tab: Tab }
  | { readonly page: 'compare'; readonly runs: readonly string[] }
  | { readonly page: 'start' }
  | { readonly page: 'unknown' };

/** @param hash of the address, with its `#` */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?');
  const parts = path.split('/').filter((part) => part !== '');
  if (parts.length === 0) return { page: 'runs' };
  if (parts[0] === 'compare')
    return { page: 'compare', runs: new URLSearchParams(query).getAll('runs').filter((run) => run !== '') };
  if (parts[0] === 'start') return { page: 'start' };
  const name = parts[0] === 'run' && parts[1] !== undefined ? decoded(parts[1]) : undefined;
  const tab = tabs.find((each) => each.name === (parts[2] ?? 'curves'));
  return name === undefined || tab === undefined
    ? { page: 'unknown' }
    : { page: 'run', run: name, tab: tab.name };
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

export function runLink(run: string, tab: Tab = 'curves'): string {
  return `#/run/${encodeURIComponent(run)}${tab === 'curves' ? '' : `/${tab}`}`;
}

export function compareLink(runs: readonly string[]): string {
  return `#/compare?${new URLSearchParams(runs.map((run): [string, string] => ['runs', run]))}`;
}
