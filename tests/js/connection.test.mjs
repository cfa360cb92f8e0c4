// The race for a connection, its proof, and the upgrade: which transport is tried when, and what becomes of what was sent.
import assert from 'node:assert/strict';
import test from 'node:test';
import { World } from './world.mjs';

const ALL = ['websocket', 'polling', 'htmlfile', 'jsonp'];

for (const transport of ALL) {
  test(`${transport} alone connects in three round trips at most and carries both ways`, () => {
    const world = new World({ rtt: 20 }), socket = world.io('http://host/', { transports: [transport], upgrade: false });
    world.run(70);
    assert.deepEqual(world.events, [['connect']]);
    assert.equal(socket.io.engine.transport.name, transport);
    const heard = [];
    socket.on('news', (...args) => heard.push(args));
    socket.emit('hello', 'wörld', 1);
    world.session.say('42["news","é\u2028",[1]]', '42["news",2]');
    world.run(100);
    assert.deepEqual(world.session.heard, ['40', '42["hello","wörld",1]']);
    assert.deepEqual(JSON.parse(JSON.stringify(heard)), [['é\u2028', [1]], [2]]);
  });

  test(`${transport} refused is told as why the connection could not be had`, () => {
    const world = new World({ modes: { [transport]: 'refuse' } });
    world.io('http://host/', { transports: [transport], reconnection: false });
    world.run(1000);
    assert.equal(world.events[0][0], 'connect_error');
    assert.match(world.events[0][1], { websocket: /^websocket: closed 1006$/, polling: /^polling: HTTP 502$/, htmlfile: /^htmlfile: no text$/,
      jsonp: /^jsonp: no script$/ }[transport]);
  });
}

test('a WebSocket that is proven within its head start is alone', () => {
  const world = new World({ rtt: 10 });
  world.io();
  world.run(5000);
  assert.deepEqual(world.events, [['connect']]);
  assert.deepEqual([world.sockets.length, world.requests.length], [1, 0]);
});

test('a refused WebSocket is followed by polling at once', () => {
  const world = new World({ modes: { websocket: 'refuse' } });
  world.io();
  world.run(21);
  assert.deepEqual(world.started, ['websocket', 'polling']);
  world.run(100);
  assert.deepEqual(world.events, [['connect']]);
});

test('a silent WebSocket is given its head start, then polling is tried beside it', () => {
  const world = new World({ modes: { websocket: 'silent' } });
  const socket = world.io('http://host/', { upgrade: false });
  world.run(29);
  assert.deepEqual(world.started, ['websocket']);
  world.run(100);
  assert.deepEqual(world.started, ['websocket', 'polling']);
  assert.deepEqual(world.events, [['connect']]);
  assert.equal(socket.io.engine.transport.name, 'polling');
});

test('both are one session to our server, which is named by chance that nobody guesses, another one in each connection', () => {
  const world = new World({ rtt: 90 });
  const socket = world.io();
  world.run(2000);
  const tokens = () => [...world.sockets, ...world.requests].map(({ query }) => query.get('aw'));
  assert.equal(new Set(tokens()).size, 1);
  assert.match(tokens()[0], /^\d{16,48}$/);
  assert.deepEqual([...world.sessions.values()].map(({ heard }) => heard), [['40']]);
  socket.io.engine.close('transport close');
  world.run(5000);
  assert.equal(new Set(tokens()).size, 2);
});

test('an old WebKit fills the bytes of chance and does not return them', () => {
  const world = new World({ rtt: 90, globals: { crypto: { getRandomValues(bytes) { bytes.fill(7); } } } });
  world.io();
  world.run(2000);
  assert.equal(world.sockets[0].query.get('aw'), '7'.repeat(16));
});

test('a browser without chance to be trusted names no race', () => {
  const world = new World({ rtt: 90, without: ['crypto'] });
  world.io();
  world.run(2000);
  assert.deepEqual(new Set([...world.sockets, ...world.requests].map(({ query }) => query.get('aw'))), new Set(['1']));
});

test('the head start is fitted to how long it took the last time', () => {
  const world = new World({ rtt: 200, modes: { polling: 'silent' } });
  world.io();
  world.run(2000);
  assert.deepEqual(world.events, [['connect']]);
  // The second visit of the same browser.
  const again = new World({ globals: { localStorage: world.browser.globals.localStorage }, modes: { websocket: 'silent' } });
  again.clock.now = world.clock.now;
  again.io('http://host/', { upgrade: false });
  again.run(525);
  assert.deepEqual(again.started, ['websocket']);
  again.run(20);
  assert.deepEqual(again.started, ['websocket', 'polling']);
});

test('where nothing answers, the third and fourth come slowly: a busy server is not asked four times by each', () => {
  const world = new World({ modes: { websocket: 'silent', polling: 'silent', htmlfile: 'silent', jsonp: 'silent' } });
  world.io('http://host/', { fallbackDelay: 10 });
  const when = [];
  for (let ms = 0; ms < 3000; ms += 10) {
    world.run(10);
    while (when.length < world.started.length) when.push(ms);
  }
  assert.deepEqual(when, [0, 0, 910, 2720]);
});

test('a WebSocket that is proven after polling was started, but before it has answered, wins', () => {
  const world = new World({ rtt: 90 });
  const serve = world.serve;
  world.serve = function (...request) { this.later(() => serve.apply(this, request), 120); };
  const socket = world.io();
  world.run(2000);
  assert.deepEqual(world.started, ['websocket', 'polling']);
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.equal(world.sockets.length, 1);
  assert.ok(world.requests[0].aborted);
});

test('polling that answers before a WebSocket is proven carries, and moves to one', () => {
  const world = new World({ rtt: 90 });
  const socket = world.io();
  world.run(220);
  assert.deepEqual(world.events, [['connect']]);
  assert.equal(socket.io.engine.transport.name, 'polling');
  world.run(1000);
  assert.deepEqual(world.started, ['websocket', 'polling', 'websocket']);
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.equal(world.sockets[0].readyState, 3);
  assert.deepEqual(world.events, [['connect']]);
});

test('polling begins with a POST of what waits: one round trip, then the page goes on', () => {
  const world = new World({ rtt: 20 });
  const chat = world.page.io('http://host/chat', { transports: ['polling'], upgrade: false });
  const socket = world.page.io('http://host/', { auth: { token: 'x' } });
  world.run(21);
  assert.deepEqual([chat.connected, socket.connected], [true, true]);
  assert.deepEqual(world.requests.map(({ method, body }) => [method, body]), [['POST', '40/chat,\x1e40{"token":"x"}'], ['GET', null]]);
  socket.emit('hello');
  world.run(60);
  assert.deepEqual(world.session.heard, ['40/chat,', '40{"token":"x"}', '42["hello"]']);
});

test('polling begins with a noop while `auth` is still asked for, and asks for it once', () => {
  const world = new World({ rtt: 20 });
  let asked = 0;
  const socket = world.io('http://host/', { transports: ['polling'], upgrade: false, auth: (done) => { asked++; world.later(() => done({ token: 'x' }), 50); } });
  world.run(49);
  assert.deepEqual(world.session.heard, ['6']);
  world.run(100);
  assert.deepEqual(world.session.heard, ['6', '40{"token":"x"}']);
  assert.deepEqual([socket.connected, asked], [true, 1]);
});

test('another server, which begins no session by a POST, is asked by a GET; the next time at once', () => {
  const world = new World({ rtt: 20, plain: true });
  const socket = world.io('http://host/', { transports: ['polling'], upgrade: false });
  world.run(200);
  assert.deepEqual(world.events, [['connect']]);
  assert.deepEqual(world.session.heard, ['40']);
  assert.deepEqual(world.requests.slice(0, 3).map(({ method }) => method), ['POST', 'GET', 'POST']);
  const before = world.requests.length;
  socket.disconnect();
  world.run(100);
  socket.connect();
  world.run(70);
  assert.equal(socket.connected, true);
  assert.equal(world.requests.slice(before).find(({ query }) => !query.has('sid')).method, 'GET');
});

test('a polling transport that is given up while it asks again leaves no request', () => {
  const world = new World({ plain: true, modes: { websocket: 'silent' } });
  const socket = world.io('http://host/', { fallbackDelay: 10 });
  world.run(131);
  socket.disconnect();
  assert.deepEqual(world.requests.map(({ method, over }) => [method, over]), [['POST', true], ['GET', true]]);
});

test('another server makes one session of a WebSocket that is proven soon after polling was started', () => {
  const world = new World({ rtt: 40, plain: true });
  const socket = world.io();
  world.run(2000);
  assert.deepEqual(world.requests.map(({ method, over }) => [method, over]), [['POST', true]]);
  assert.equal(world.sessions.size, 1);
  assert.equal(socket.io.engine.transport.name, 'websocket');
});

test('a second session that another server has made in vain is ended', () => {
  const world = new World({ rtt: 40, plain: true });
  world.accept = function (socket) { this.later(() => World.prototype.accept.call(this, socket), 120); };
  const socket = world.io('http://host/', { fallbackDelay: 10 });
  world.run(2000);
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.deepEqual([...world.sessions.values()].map(({ heard, closed }) => [heard, closed]), [[['40'], false], [['1'], true]]);
});

test('what is asked for while the first POST is under way goes out after it, in order and once', () => {
  const world = new World({ rtt: 40 });
  world.page.io('http://host/', { transports: ['polling'], upgrade: false });
  world.run(20);
  world.page.io('http://host/late');
  world.run(200);
  assert.deepEqual(world.session.heard, ['40', '40/late,']);
});

for (const [mode, what] of [['mute', 'opens and then carries nothing'], ['deaf', 'brings the handshake and swallows what is sent']]) {
  test(`a WebSocket that ${what} is overtaken, and what it swallowed is sent again, once`, () => {
    const world = new World({ modes: { websocket: mode } });
    const socket = world.io();
    socket.emit('hello');
    world.run(3000);
    assert.deepEqual(world.events, [['connect']]);
    assert.equal(socket.io.engine.transport.name, 'polling');
    assert.deepEqual(world.session.heard.filter((packet) => packet !== '40/!,'), ['40', '42["hello"]']);
    assert.equal(new URL(world.requests[0].url).searchParams.get('sid'), null);
  });
}

for (const mode of ['html', 'deaf', 'refuse', 'silent']) {
  test(`where WebSocket is refused and polling is ${mode}, htmlfile or JSONP carries`, () => {
    const world = new World({ modes: { websocket: 'refuse', polling: mode } });
    const socket = world.io();
    world.run(6000);
    assert.deepEqual(world.events, [['connect']]);
    assert.ok(['htmlfile', 'jsonp'].includes(socket.io.engine.transport.name));
  });
}

test('a transport that is still on its way when another brings the handshake is closed only when that one is proven', () => {
  // POSTs are eaten, and the WebSocket takes more than a second to open.
  const world = new World({ modes: { polling: 'deaf', htmlfile: 'deaf', jsonp: 'deaf' } });
  world.accept = function (socket) { this.later(() => World.prototype.accept.call(this, socket), 1100); };
  const socket = world.io();
  world.run(1200);
  assert.deepEqual(world.events, [['connect']]);
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.equal(world.sockets.length, 1);
});

test('a handshake that comes while another carries is kept, and used if that one is not proven in time; the deaf one frees its connection', () => {
  const world = new World({ rtt: 40, modes: { polling: 'deaf' } });
  world.accept = function (socket) { this.later(() => World.prototype.accept.call(this, socket), 95); };
  const socket = world.io('http://host/', { fallbackDelay: 50 });
  world.run(1000);
  assert.deepEqual(world.started, ['websocket', 'polling']);
  assert.deepEqual(world.events, [['connect']]);
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.equal(world.sockets.length, 1);
  assert.deepEqual(world.requests.filter(({ method, over }) => method === 'GET' && !over), []);
});

test('what is tried beside a deaf WebSocket has as long as beside a silent one, before a third way makes a session of its own', () => {
  const world = new World({ modes: { websocket: 'deaf', polling: 'silent' } });
  world.io('http://host/', { fallbackDelay: 100 });
  world.run(900);
  assert.deepEqual(world.started, ['websocket', 'polling']);
  world.run(900);
  assert.equal(world.started[2], 'htmlfile');
});

test('a WebSocket whose first frame has to be sent again by TCP is overtaken, and the session moves to another one', () => {
  const world = new World(), socket = world.io('http://host/', { fallbackDelay: 100 });
  world.frame = function (ws, packet) { this.later(() => World.prototype.frame.call(this, ws, packet), this.sockets.length === 1 ? 200 : 0); };
  world.run(1000);
  assert.deepEqual(world.failed, [['websocket', 'no answer']]);
  assert.deepEqual(world.started, ['websocket', 'polling', 'websocket']);
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.deepEqual(world.events, [['connect']]);
});

test('who is slower by a little does not take the session over', () => {
  const world = new World({ rtt: 20 });
  world.accept = function (socket) { this.later(() => World.prototype.accept.call(this, socket), 105); };
  const socket = world.io('http://host/', { upgrade: false });
  world.run(2000);
  assert.deepEqual(world.events, [['connect']]);
  assert.equal(socket.io.engine.transport.name, 'polling');
  assert.equal(world.sockets[0].readyState, 3);
  assert.deepEqual([...world.sessions.values()].map(({ heard }) => heard), [['40']]);
});

test('a server of ours whose admission takes long says so, and is asked nothing', () => {
  const world = new World({ rtt: 10, joins: false });
  world.io();
  world.run(3000);
  assert.deepEqual([world.started, world.session.heard], [['websocket'], ['40']]);
});

test('another server whose admission takes long is asked for something else meanwhile, and nobody is given up', () => {
  const world = new World({ joins: false, plain: true });
  const socket = world.io();
  world.run(1000);
  const [session] = world.sessions.values();
  assert.ok(session.heard.includes('40/!,'));
  world.run(2000);
  session.say(`40{"sid":"late"}`);
  world.run(100);
  assert.deepEqual(world.events, [['connect']]);
  assert.equal(socket.id, 'late');
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.equal([...world.sessions.values()].filter(({ heard }) => heard.includes('40')).length, 1);
});

test('nobody there: the reasons of all transports are told, after the connect timeout at the latest', () => {
  const world = new World({ modes: { websocket: 'refuse', polling: 'refuse', htmlfile: 'refuse', jsonp: 'refuse' } });
  world.io('http://host/', { reconnection: false });
  world.run(1000);
  assert.deepEqual(world.events, [['connect_error', 'websocket: closed 1006; polling: HTTP 502; htmlfile: no text; jsonp: no script']]);
  const silent = new World({ modes: { websocket: 'silent', polling: 'silent', htmlfile: 'silent', jsonp: 'silent' } });
  silent.io('http://host/', { reconnection: false, timeout: 5000 });
  silent.run(5001);
  assert.deepEqual(silent.events, [['connect_error', 'timeout']]);
  silent.run(1000);
  assert.equal(silent.browser.furniture, 0);
});

test('a transport that this browser has not got is impossible, and named so', () => {
  const world = new World({ without: ['WebSocket', 'XMLHttpRequest', 'ActiveXObject'] });
  const socket = world.io('http://host/', { transports: ['webtransport', ...ALL] });
  world.run(500);
  assert.equal(socket.io.engine.transport.name, 'jsonp');
  assert.deepEqual(world.failed.map(([name, why]) => [name, why.slice(0, 10)]),
    ['webtransport', 'websocket', 'polling', 'htmlfile'].map((name) => [name, 'impossible']));
});

test('a browser that forbids the WebSocket (ws: from an https: page) loses no time', () => {
  const world = new World();
  world.throws = 'SecurityError';
  world.io();
  world.run(100);
  assert.deepEqual(world.events, [['connect']]);
});

test('the session moves to a WebSocket: nothing is lost, doubled or out of order', () => {
  const world = new World({ rtt: 20 }), socket = world.io('http://host/', { transports: ['polling', 'websocket'] }), heard = [];
  socket.on('n', (n) => heard.push(n));
  let sent = 0;
  for (let i = 0; i < 60; i++) {
    socket.emit('m', sent++);
    if (world.session && socket.connected) world.session.say(`42["n",${heard.length + world.session.queue.length}]`);
    world.run(5);
  }
  world.run(200);
  assert.equal(socket.io.engine.transport.name, 'websocket');
  assert.deepEqual(world.session.heard.filter((packet) => packet.startsWith('42')), Array.from({ length: sent }, (_, i) => `42["m",${i}]`));
  assert.equal(world.session.closed, false);
});

test('what is said while the session moves goes out also when it is the last', () => {
  const world = new World({ rtt: 100 }), socket = world.io('http://host/', { transports: ['polling', 'websocket'] });
  for (let ms = 0; ms < 5000 && !world.trace.some(([, , data]) => data === '3probe'); ms += 5) world.run(5);
  socket.emit('last words');
  socket.disconnect();
  world.run(1000);
  assert.deepEqual(world.session.heard.filter((packet) => packet.startsWith('4')), ['40', '42["last words"]', '41']);
});

test('an upgrade that is refused, or whose probe has no answer, leaves the session where it is', () => {
  for (const mode of ['refuse', 'mute', 'silent']) {
    const world = new World({ modes: { websocket: mode } }), socket = world.io('http://host/', { transports: ['polling', 'websocket'] });
    world.run(1000);
    socket.emit('still');
    world.run(20000);
    assert.equal(socket.io.engine.transport.name, 'polling', mode);
    assert.equal(world.session.heard.at(-1), '42["still"]');
    assert.equal(socket.connected, true);
  }
});

test('a WebSocket that dies in the midst of the upgrade ends the session, which comes back', () => {
  const world = new World(), socket = world.io('http://host/', { transports: ['polling', 'websocket'] });
  world.onpacket = null;
  const stall = world.frame;
  world.frame = function (ws, packet) { stall.call(this, ws, packet); if (packet === '2probe') { this.later(() => ws.die(), 12); this.session.carrier = null; } };
  world.run(200);
  assert.deepEqual(world.events, [['connect'], ['disconnect', 'transport error', 'transport error']]);
  world.frame = stall;
  world.run(3000);
  assert.equal(socket.connected, true);
});

test('upgrade: false, and a server without WebSocket, mean no upgrade', () => {
  for (const [options, upgrades] of [[{ upgrade: false }, ['websocket']], [{}, []]]) {
    const world = new World();
    world.upgrades = upgrades;
    world.io('http://host/', { transports: ['polling', 'websocket'], ...options });
    world.run(5000);
    assert.equal(world.sockets.length, 0);
  }
});

for (const transport of ALL) {
  test(`${transport}: the server's pings are answered; without them the session ends a second after its time`, () => {
    const world = new World(), socket = world.connected(transport, { upgrade: false });
    let pings = 0;
    socket.io.on('ping', () => pings++);
    world.session.say('2');
    world.run(100);
    assert.deepEqual([pings, world.session.heard.at(-1)], [1, '3']);
    world.run(45_000);
    assert.equal(socket.connected, true);
    world.run(1100);
    assert.equal(world.events[0][1], 'ping timeout');
  });

  test(`${transport}: disconnect says goodbye to the namespace and to the session, and leaves nothing in the page`, () => {
    const world = new World(), socket = world.connected(transport, { upgrade: false });
    socket.emit('last');
    socket.disconnect();
    world.run(1000);
    assert.deepEqual(world.events, [['disconnect', 'io client disconnect']]);
    if (transport !== 'websocket') assert.deepEqual(world.session.heard.slice(-3), ['42["last"]', '41', '1']);
    assert.equal(world.browser.furniture, 0);
    assert.deepEqual(world.browser.errors, []);
  });
}

test('the server may end the session, and an unknown packet ends it as a parse error', () => {
  for (const [packet, reason] of [['1', 'transport close'], ['9', 'parse error'], ['4{"', 'parse error'], ['b!', 'parse error']]) {
    const world = new World();
    world.connected('websocket', { reconnection: false });
    world.session.say(packet);
    world.run(100);
    assert.equal(world.events[0][1], reason, packet);
  }
});

test('a Blob waits to be read over polling, and what follows waits with it', async () => {
  const world = new World(), socket = world.connected('polling', { upgrade: false });
  socket.emit('file', new Blob(['abc']));
  socket.emit('after');
  world.run(100);
  assert.equal(world.session.heard.at(-1), '451-["file",{"_placeholder":true,"num":0}]');
  while (!world.read) await new Promise((resolve) => setImmediate(resolve));
  world.run(100);
  assert.deepEqual(world.session.heard.slice(-3), ['451-["file",{"_placeholder":true,"num":0}]', 'bYWJj', '42["after"]']);
});

test('over a WebSocket bytes go as they are', () => {
  const world = new World(), socket = world.connected('websocket'), bytes = new Uint8Array([1]);
  socket.emit('file', bytes);
  world.run(100);
  assert.equal(world.session.heard.at(-1), bytes);
});

test("the trace tells each transport's start, life and end, and each packet with its direction", () => {
  const world = new World({ modes: { websocket: 'refuse' } }), socket = world.io('http://host/', { transports: ['websocket', 'polling'], upgrade: false });
  world.run(200);
  socket.disconnect();
  world.run(200);
  const lines = world.trace.map(([mark, name, data]) => `${mark} ${name} ${data}`.replace(/http:.*transport=\w+$/, 'URL').replace(/session\d+/g, 'ID'));
  assert.deepEqual(lines, ['= websocket URL', '! websocket closed 1006', '= polling URL',
    '< polling 0{"sid":"ID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}', '= polling carries',
    '> polling 40', '< polling 40{"sid":"ID"}', '> polling 41', '! polling forced close']);
});

test('a debug hook that throws stops nothing', () => {
  const world = new World();
  world.io('http://host/', { debug: () => { throw new Error('hook'); } });
  assert.throws(() => world.run(1), { message: 'hook' });
});
