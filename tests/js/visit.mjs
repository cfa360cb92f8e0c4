// node visit.mjs URL: a page and those in its frames, in small browsers (page.mjs) on the real network, until killed.
import { createRequire } from 'node:module';
import vm from 'node:vm';
import { Browser } from './page.mjs';
import { network } from './network.mjs';

const { WebSocket } = createRequire(new URL('../node/package.json', import.meta.url))('ws');

async function visit(url) {
  const html = await (await fetch(url)).text(), browser = new Browser(network, { href: url });
  for (const [, src] of html.matchAll(/<iframe src="([^"]+)"/g)) visit(new URL(src.replaceAll('&amp;', '&'), url).href);
  const page = vm.createContext({ setTimeout, clearTimeout, setInterval, clearInterval, console, ...browser.globals, WebSocket });
  page.window = page.self = page;
  browser.enter(Object.assign(page, { run: (code, filename) => vm.runInContext(code, page, { filename }) }));
  for (const [, src, code] of html.matchAll(/<script(?: src="([^"]+)")?>(.*?)<\/script>/gs)) {
    page.run(src ? await (await fetch(new URL(src, url))).text() : code, src ?? url);
  }
  browser.window.dispatch('load');
}

visit(process.argv[2]);
