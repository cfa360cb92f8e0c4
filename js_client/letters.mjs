// Searches the order of letters (LETTERS in sources.mjs) with which the client compresses best, and prints it: node letters.mjs [seconds].
// After a change of the sources it finds some ten to forty bytes. It minifies once, with a character of its own for each name, and
// then only exchanges letters in the text: simulated annealing. It needs gzip.
import { spawnSync } from 'node:child_process';
import { minify } from 'terser';
import { gzipSize, joined, minifying } from './build.mjs';
import { LETTERS } from './sources.mjs';

// Stand-ins are letters, too, or spaces would be left out beside them.
const VARIABLES = 0x4f00, PROPERTIES = 0x4e00;

const standIns = (from) => ({ get: (n) => String.fromCharCode(from + n) });
const options = minifying(standIns(VARIABLES), standIns(PROPERTIES));
options.format.ascii_only = false;
const { code } = await minify(joined(), options);
// Keys that are not of ASCII are quoted, and the separator of payloads is written as itself.
const template = code.replace(/\["([\u4e00-\u4eff])"\]/g, '.$1').replace(/"([\u4e00-\u4eff])":/g, '$1:').replace('\x1e', '\\x1e');

const letters = { variables: LETTERS.variables.split(''), properties: LETTERS.properties.split('') };
const written = () => `${template.replace(/[\u4e00-\u4fff]/g, (name) => {
  const n = name.charCodeAt(0);
  return n < VARIABLES ? letters.properties[n - PROPERTIES] : letters.variables[n - VARIABLES];
})}\n`;

/** The larger of what Node's zlib and gzip make of it: what is fitted to one of them alone is larger by the other. */
function weigh(text, enough) {
  const size = gzipSize(text);
  return size > enough ? size : Math.max(size, spawnSync('gzip', ['-9n'], { input: text }).stdout.length);
}

const time = 1000 * (process.argv[2] ?? 300), began = Date.now();
const pick = (list) => Math.floor(Math.random() * list.length);
let size = weigh(written(), Infinity), best = size, found = JSON.stringify(letters);
for (let passed = 0; passed < time; passed = Date.now() - began) {
  const list = Math.random() < 0.6 ? letters.variables : letters.properties, a = pick(list), b = pick(list);
  [list[a], list[b]] = [list[b], list[a]];
  const bound = size - Math.log(Math.random()) * (3 * (1 - passed / time) + 0.02), now = weigh(written(), bound);
  if (now <= bound) {
    size = now;
    if (size < best) [best, found] = [size, JSON.stringify(letters)];
  } else {
    [list[a], list[b]] = [list[b], list[a]];
  }
}
const { variables, properties } = JSON.parse(found);
console.log(`${best} bytes\n  variables: '${variables.join('')}',\n  properties: '${properties.join('')}',`);
