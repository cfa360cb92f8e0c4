// The client in small browsers on the real network.
import { createRequire } from 'node:module';
import { Browser } from './page.mjs';
import { load } from './load.mjs';
import { network } from './network.mjs';

const { WebSocket } = createRequire(new URL('../node/package.json', import.meta.url))('ws');

/** A browser, at url, with the client in it. `without` are globals that it has not got. */
export function visit(url, without = []) {
  const browser = new Browser(network, { href: url }), globals = { ...browser.globals, WebSocket, Buffer };
  for (const name of without) delete globals[name];
  browser.enter(load(globals));
  return browser;
}
