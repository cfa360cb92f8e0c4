// Loads the client's sources into a page of its own: each file as one script, so that coverage and stack traces name it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { SOURCES } from '../../js_client/sources.mjs';

// With MINIFIED=1 the same tests try what people load; in it the functions inside have no names.
const MINIFIED = Boolean(process.env.MINIFIED);
const scripts = (MINIFIED ? ['dist/anywire.min.js'] : SOURCES.map((name) => `src/${name}`)).map((name) => {
  const url = new URL(`../../js_client/${name}`, import.meta.url);
  return new vm.Script(readFileSync(fileURLToPath(url), 'utf8'), { filename: url.href });
});

/** Options of tests that call functions inside. */
export const inside = { skip: MINIFIED && 'the minified file has no such names' };

/** What every engine has had since ES3, plus what Node cannot do without. */
const BASE = { setTimeout, clearTimeout, console };

/**
 * A context with the client in it: its `io`, and, since the files are scripts, all their functions. `globals` is what the page has
 * besides the language; `without` names what is taken out of the language (JSON, Promise, Uint8Array...).
 */
export function load(globals = {}, without = []) {
  const page = vm.createContext({ ...BASE, ...globals });
  for (const name of without) vm.runInContext(`delete globalThis.${name}`, page);
  page.global = page.self = page;
  /** The value of an expression there. */
  page.run = (code) => vm.runInContext(code, page);
  for (const script of scripts) script.runInContext(page);
  return page;
}

/** A value of a page's realm as one of ours, so that deepEqual sees no foreign prototypes. */
export const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
