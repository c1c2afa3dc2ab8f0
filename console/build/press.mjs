// Puts the built files where the server's build embeds them, small: each as brotli and as gzip, which browsers take on plain HTTP.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const from = new URL('../dist/', import.meta.url);
const to = new URL('../../crates/server/console/', import.meta.url);

mkdirSync(to, { recursive: true });
for (const name of readdirSync(to)) if (name !== '.gitignore') rmSync(new URL(name, to), { recursive: true });

const files = readdirSync(from, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`.slice(from.pathname.length).replace(/^\/+/, ''))
  .sort();
const rows = [];
for (const name of files) {
  const bytes = readFileSync(new URL(name, from));
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  const gzip = gzipSync(bytes, { level: 9 });
  rows.push([name, bytes.length, gzip.length, brotli.length]);
  mkdirSync(new URL(name.replace(/[^/]*$/, '') || '.', to), { recursive: true });
  // The server writes its own address into the page, so this one stays as it is.
  if (name === 'index.html') writeFileSync(new URL(name, to), bytes);
  else {
    writeFileSync(new URL(`${name}.br`, to), brotli);
    writeFileSync(new URL(`${name}.gz`, to), gzip);
  }
}
const kib = (bytes) => (bytes / 1024).toFixed(1).padStart(8);
console.log(`${'file'.padEnd(44)}     KiB    gzip  brotli`);
for (const [name, ...sizes] of rows) console.log(name.padEnd(44) + sizes.map(kib).join(''));
