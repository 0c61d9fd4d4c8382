// Light or dark: as the system has it, or as the reader chose.

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'rectiflow-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

class ThemeChoice {
  chosen: Theme = $state('system');
  /** Counts changes of what is seen, for what draws with colours that it has read. */
  version: number = $state(0);

  constructor() {
    const stored = localStorage.getItem(KEY);
    if (stored === 'light' || stored === 'dark') this.choose(stored);
    dark.addEventListener('change', () => this.version++);
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    if (theme === 'system') {
      delete document.documentElement.dataset['theme'];
      localStorage.removeItem(KEY);
    } else {
      document.documentElement.dataset['theme'] = theme;
      localStorage.setItem(KEY, theme);
    }
    this.version++;
  }
}

export const theme: ThemeChoice = new ThemeChoice();

const read = new Map<string, string>();

/** What a colour of the style sheet, such as `--text`, is at the moment, for a canvas. */
export function colour(name: string): string {
  return resolved(`var(${name})`);
}

/** The same of any colour of CSS, such as `light-dark(...)`. @returns `rgb(...)` */
export function resolved(css: string): string {
  const key = `${theme.version} ${css}`;
  const known = read.get(key);
  if (known !== undefined) return known;
  const probe = document.createElement('span');
  probe.style.color = css;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  read.set(key, color);
  return color;
}

/** Colours of lines, as many as there are; more lines begin anew. */
export const seriesColours: readonly string[] = Array.from({ length: 8 }, (_, i) => `--series-${i + 1}`);

/** The same colour, let through. @param color `rgb(...)`, as `colour` returns it */
export function faint(color: string, share: number): string {
  return color.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);
}
