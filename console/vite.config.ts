import react from '@vitejs/plugin-react';
import { readFileSync } from 'node:fs';
import { type Plugin, transformWithOxc } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds the server. */
const server = process.env['CLOCKWRIGHT_SERVER'] ?? 'http://127.0.0.1:8899';

/** `src/boot.ts` runs before the first paint: a classic script in the head, with a hashed name like everything else. */
function boot(): Plugin {
  let file = '';
  return {
    name: 'clockwright:boot',
    apply: 'build',
    async generateBundle() {
      const path = new URL('src/boot.ts', import.meta.url).pathname;
      const { code } = await transformWithOxc(readFileSync(path, 'utf8'), path, { sourcemap: false });
      const source = `(()=>{${code.replace(/^\s*\/\/.*$/gm, '').replace(/\n\s*/g, '\n')}})();`;
      file = this.getFileName(this.emitFile({ type: 'asset', name: 'boot.js', source }));
    },
    transformIndexHtml: {
      order: 'post',
      handler: (html) => ({ html, tags: [{ tag: 'script', attrs: { src: `./${file}` }, injectTo: 'head' }] }),
    },
  };
}

/** React Aria puts a `<style>` into a document that has no element of this id, which our policy of content refuses. Our style sheet has its one rule. */
function stylesheetStandsForAria(): Plugin {
  return {
    name: 'clockwright:stylesheet',
    transformIndexHtml: {
      order: 'post',
      handler: (html) => html.replace('<link rel="stylesheet" crossorigin', '<link rel="stylesheet" id="react-aria-pressable-style"'),
    },
  };
}

/** React Aria's own words, in the languages that we have. */
function ariaSpeaksTwoLanguages(): Plugin {
  const other = /react-aria[\w-]*\/dist\/private\/intl\/.*\/(?!en-US|zh-CN)[a-z]{2}-[A-Z]{2}\.m?js$/;
  return {
    name: 'clockwright:languages',
    enforce: 'pre',
    load: { filter: { id: other }, handler: () => 'export default {}' },
  };
}

export default defineConfig({
  // Relative to `<base href>`, which the server writes.
  base: './',
  plugins: [react(), boot(), stylesheetStandsForAria(), ariaSpeaksTwoLanguages()],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 700 },
  worker: { format: 'es' },
  server: { proxy: { '/api': { target: server, changeOrigin: true }, '/version': server } },
  test: { include: ['src/**/*.test.{ts,tsx}'], environment: 'node' },
});
