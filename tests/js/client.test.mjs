// Addresses: what a page may write, and where it leads.
import assert from 'node:assert/strict';
import test from 'node:test';
import { inside, load, plain } from './load.mjs';
import { World } from './world.mjs';

const PAGE = { location: { protocol: 'https:', host: 'page:8443' } };
const target = (url, options = {}, globals = PAGE) => {
  const { _origin, _cross, _path, _query } = load(globals).parseTarget(url, options);
  return [_origin, _cross, _path, _query];
};

for (const [url, expected] of [
  [undefined, ['https://page:8443', false, '/', '']],
  ['', ['https://page:8443', false, '/', '']],
  ['/', ['https://page:8443', false, '/', '']],
  ['/chat', ['https://page:8443', false, '/chat', '']],
  ['/chat?token=a%20b', ['https://page:8443', false, '/chat', '&token=a%20b']],
  ['https://PAGE:8443/x#y', ['https://page:8443', false, '/x', '']],
  ['http://page:8443', ['http://page:8443', true, '/', '']],
  ['//other/chat', ['https://other', true, '/chat', '']],
  ['other:3000', ['https://other:3000', true, '/', '']],
  ['localhost', ['https://localhost', true, '/', '']],
  ['ws://other/', ['http://other', true, '/', '']],
  ['wss://other', ['https://other', true, '/', '']],
  ['http://[::1]:8000/a', ['http://[::1]:8000', true, '/a', '']],
]) {
  test(`from https://page:8443, ${JSON.stringify(url)} leads to ${expected[0]}${expected[2]}`, inside, () => assert.deepEqual(target(url), expected));
}

test("the options host, port and secure, which 0.9's pages give, go before the address", inside, () => {
  assert.equal(target('http://a:1', { hostname: 'b', port: 2, secure: true })[0], 'https://b:2');
  assert.equal(target('http://a', { port: 8080 })[0], 'http://a:8080');
});

test('without a page (Node) it is http and localhost', inside, () => {
  assert.deepEqual(target(undefined, {}, {}), ['http://localhost', true, '/', '']);
});

test('a request says the query of the address, of the options and of the protocol, and is never the same twice', () => {
  const world = new World();
  world.page.io('http://host/?a=1', { query: { b: '2 3', none: undefined }, transports: ['polling'], path: '/live' });
  world.run(10);
  const [first] = world.requests;
  assert.match(first.url, /^http:\/\/host\/live\/\?t=[a-z0-9]+&a=1&b=2%203&EIO=4&aw=\d{16,48}&transport=polling$/);
  world.run(100);
  assert.equal(new Set(world.requests.map(({ url }) => url)).size, world.requests.length);
  const old = new World();
  old.page.io('http://host/', { query: 'c=4', transports: ['polling'] });
  old.run(10);
  assert.match(old.requests[0].url, /&c=4&EIO=4/);
});

test('options alone will do, and io is all it should be', () => {
  const world = new World(), { io } = world.page;
  const socket = io({ transports: ['websocket'] });
  world.run(100);
  assert.equal(socket.connected, true);
  assert.equal(world.page.anywire, io);
  assert.deepEqual([io.protocol, io.connect, io.io, plain([...io.transports])], [5, io, io, ['websocket', 'polling', 'htmlfile', 'jsonp']]);
  assert.ok(socket instanceof io.Socket && socket.io instanceof io.Manager);
});

test('io.transports is the list for who names none, as in 0.9', () => {
  const world = new World();
  world.page.io.transports = ['xhr-polling'];
  world.io('http://host/', { upgrade: false });
  world.run(100);
  assert.deepEqual(world.started, ['polling']);
});

test('autoConnect: false waits to be asked', () => {
  const world = new World(), socket = world.io('http://host/', { autoConnect: false });
  world.run(1000);
  assert.equal(world.sockets.length, 0);
  socket.open();
  world.run(100);
  assert.equal(socket.connected, true);
});

test('a CommonJS module is the client itself', () => {
  const module = { exports: {} };
  const page = load({ module });
  assert.equal(typeof module.exports, 'function');
  assert.equal(module.exports.io, module.exports);
  assert.equal(page.anywire, undefined);
});
