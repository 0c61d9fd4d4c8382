// Builds the page of a shared model into dist/page/share/: an index.html and assets/, which hold all that it needs.
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { type UserConfig, defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const config: UserConfig = defineConfig({
  root: here('share'),
  // It may lie below any address.
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
    outDir: here('../dist/page/share'),
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    // The policy of the page allows no data: addresses, and no scripts or styles in the page itself.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});

export default config;
