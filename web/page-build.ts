// How a page is built: an index.html and assets/, which hold all that it needs.
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { UserConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** @param page the folder of its sources in web/ @param to the folder that is made, below dist/ */
export function pageBuild(page: string, to: string): UserConfig {
  return {
    root: here(page),
    // What it needs is found by relative addresses, whatever its own is.
    base: './',
    publicDir: false,
    logLevel: 'warn',
    plugins: [
      svelte({
        configFile: false,
        onwarn: ({ code, message, filename }) => {
          throw new Error(`${filename}: ${code}: ${message}`);
        },
      }),
    ],
    worker: { format: 'es' },
    build: {
      outDir: here(`../dist/${to}`),
      emptyOutDir: true,
      target: 'es2022',
      sourcemap: false,
      // The policy of the page allows no data: addresses, and no scripts or styles in the page itself.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      // Of what is joined into the page.
      license: { fileName: 'licenses.md' },
      rolldownOptions: { checks: { pluginTimings: false } },
    },
  };
}
