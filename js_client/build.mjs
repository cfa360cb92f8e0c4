// Joins src/ into one script, checks it for ES3, minifies it. `node build.mjs` writes dist/ and prints the sizes;
// `node build.mjs --check` writes nothing and fails if dist/ is not what it would write.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { minify } from 'terser';
import { es3Faults } from './es3.mjs';
import { LETTERS, MAX_GZIP_BYTES, PRIVATE, SOURCES } from './sources.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
const banner = `/*! anywire ${version} | MIT */`;

/** The program: a script that defines `io` and `anywire`, or a CommonJS module. */
export function joined() {
  const parts = SOURCES.map((name) => `// ---- ${name}\n\n${readFileSync(join(here, 'src', name), 'utf8')}`);
  return `${banner}\n(function (global) {\n\n${parts.join('\n')}
})(typeof self == 'object' ? self : global);\n`;
}

/** The same program, whole or minified, for bundlers and <script type="module">: it finds a CommonJS module to be, and that is handed on. */
export function asModule(code) {
  return `${banner}\nconst module = { exports: {} };\n${code.replace(`${banner}\n`, '').replace(/global\);\n$/, 'globalThis);\n')}
const io = module.exports;
const { connect, Manager, Socket, protocol } = io;
export { io as default, io, connect, Manager, Socket, protocol };\n`;
}

/** For terser's nth_identifier: the letters in that order, then two at a time. */
const inOrder = (letters) => ({
  get(n) { return (n < letters.length ? '' : this.get(Math.floor(n / letters.length) - 1)) + letters[n % letters.length]; },
});

/** What terser is told; a variable's name is what `variables` has for its number, a private property's what `properties` has. */
export const minifying = (variables = inOrder(LETTERS.variables), properties = inOrder(LETTERS.properties)) => ({
  ie8: true,
  ecma: 5,
  compress: { passes: 4, pure_getters: true, properties: false, collapse_vars: false, loops: false, unsafe: true },
  mangle: {
    nth_identifier: variables,
    // Names of properties that no other program reads.
    properties: { regex: PRIVATE, reserved: ['_placeholder'], nth_identifier: properties },
  },
  format: { ascii_only: true, quote_style: 2 },
});

/** {code, map}. The server names the map in a header: a comment in the file would be half a per cent of it. */
export async function minified(code) {
  const result = await minify({ 'anywire.js': code }, {
    ...minifying(),
    sourceMap: { filename: 'anywire.min.js', includeSources: true },
  });
  return { code: `${result.code}\n`, map: `${result.map}\n` };
}

export const gzipSize = (code) => gzipSync(Buffer.from(code), { level: 9 }).length;

async function main(checkOnly) {
  const source = joined(), { code, map } = await minified(source);
  const outputs = {
    'anywire.js': source,
    'anywire.min.js': code,
    'anywire.min.js.map': map,
    'anywire.esm.js': asModule(source),
    'anywire.esm.min.js': asModule(code),
  };
  const faults = ['anywire.js', 'anywire.min.js'].flatMap((name) => es3Faults(outputs[name]).map((fault) => `${name}:${fault}`));
  const size = gzipSize(code);
  if (size > MAX_GZIP_BYTES) faults.push(`anywire.min.js is ${size} bytes under gzip -9, more than ${MAX_GZIP_BYTES}`);
  if (!checkOnly) mkdirSync(join(here, 'dist'), { recursive: true });
  for (const [name, text] of Object.entries(outputs)) {
    const path = join(here, 'dist', name);
    if (!checkOnly) writeFileSync(path, text);
    else if (readFileSync(path, 'utf8') !== text) faults.push(`dist/${name} is not what src/ makes: npm run build`);
    console.log(`dist/${name}: ${Buffer.byteLength(text)} bytes, ${gzipSize(text)} under gzip -9`);
  }
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes('--check'));
