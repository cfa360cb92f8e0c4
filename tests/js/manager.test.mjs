// Coming back: when, how often, with which transport; and what the page's own life has to do with it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { inside } from './load.mjs';
import { World } from './world.mjs';

const down = (world) => { for (const name of ['websocket', 'polling', 'htmlfile', 'jsonp']) world.modes[name] = 'refuse'; };
const up = (world) => { world.modes = {}; };
const note = (manager, ...names) => {
  const heard = [];
  for (const name of names) manager.on(name, (...args) => heard.push([name, ...args.map((arg) => arg?.message ?? arg)]));
  return heard;
};

test('a lost connection comes back after a wait that grows, and says so on the manager', () => {
  const world = new World(), socket = world.connected('websocket', { reconnectionDelay: 1000, reconnectionDelayMax: 5000 });
  const heard = note(socket.io, 'close', 'reconnect_attempt', 'reconnect_error', 'reconnect', 'error', 'open');
  down(world);
  world.sockets[0].die();
  assert.deepEqual(world.events, [['disconnect', 'transport close', 'closed 1006']]);
  world.run(999);
  assert.equal(world.sockets.length, 1);
  world.run(1000 + 2000 + 100);
  up(world);
  world.run(5000);
  const why = 'websocket: closed 1006';
  assert.deepEqual(heard, [['close', 'transport close', 'closed 1006'], ['reconnect_attempt', 1], ['error', why], ['reconnect_error', why],
    ['reconnect_attempt', 2], ['error', why], ['reconnect_error', why], ['reconnect_attempt', 3], ['open'], ['reconnect', 3]]);
  assert.equal(socket.connected, true);
});

test('after a success the waits are short again', () => {
  const world = new World(), socket = world.connected('websocket');
  for (let i = 0; i < 5; i++) {
    world.sockets.at(-1).die();
    world.run(1000);
    world.run(60);
    assert.equal(socket.connected, true);
  }
});

test('attempts are limited if the page says so, and the next loss has them all again', () => {
  const world = new World(), socket = world.connected('websocket', { reconnectionAttempts: 2 }), heard = note(socket.io, 'reconnect_attempt', 'reconnect_failed');
  down(world);
  world.sockets[0].die();
  world.run(20_000);
  assert.deepEqual(heard, [['reconnect_attempt', 1], ['reconnect_attempt', 2], ['reconnect_failed']]);
  assert.equal(world.clock.timers.size, 0);
});

test('reconnection: false means no attempt, and a first connection that fails is tried again like any other', () => {
  const world = new World();
  down(world);
  world.io('http://host/', { reconnection: false });
  world.run(60_000);
  assert.equal(world.events.length, 1);
  const other = new World();
  down(other);
  const socket = other.io();
  other.run(2000);
  up(other);
  other.run(5000);
  assert.equal(socket.connected, true);
});

test('disconnect during the wait, or during an attempt, ends it', () => {
  for (const ms of [500, 1010]) {
    const world = new World(), socket = world.connected('websocket');
    world.sockets[0].die();
    world.run(ms);
    socket.disconnect();
    world.run(60_000);
    assert.equal(socket.connected, false);
    assert.equal(world.clock.timers.size, 0);
    socket.connect();
    world.run(100);
    assert.equal(socket.connected, true);
  }
});

test('a silence is noticed, also in a tab whose timers run once a minute, and after it the first attempt is made at once', () => {
  const world = new World(), socket = world.connected('websocket');
  world.clock.sleep(47_000);
  // What the network brought meanwhile comes after the timers, and is in time.
  world.session.say('2');
  world.run(20);
  assert.equal(socket.connected, true);
  world.clock.sleep(120_000);
  world.run(1100);
  assert.deepEqual(world.events.map(([name, reason]) => [name, reason]), [['disconnect', 'ping timeout'], ['connect', undefined]]);
});

test('offline ends the connection and the attempts; online begins at once', () => {
  const world = new World(), socket = world.connected('websocket');
  world.navigator.onLine = false;
  world.browser.window.dispatch('offline');
  assert.deepEqual(world.events, [['disconnect', 'transport close', 'offline']]);
  world.run(600_000);
  assert.equal(world.sockets.length, 1);
  world.navigator.onLine = true;
  world.browser.window.dispatch('online');
  world.run(100);
  assert.equal(socket.connected, true);
});

test('what is on this machine needs no network', () => {
  const world = new World({ href: 'http://localhost:8000/' }), socket = world.io('/', { transports: ['websocket'] });
  world.run(100);
  world.navigator.onLine = false;
  world.browser.window.dispatch('offline');
  world.run(100);
  assert.equal(socket.connected, true);
});

test('a page that goes says goodbye, by beacon where it polls, and one that comes back from the cache reconnects', () => {
  for (const transport of ['websocket', 'polling', 'htmlfile', 'jsonp']) {
    const world = new World(), socket = world.connected(transport, { upgrade: false });
    socket.emit('last words');
    socket.emit('and more');
    world.browser.window.dispatch('pagehide');
    assert.deepEqual(world.events, [['disconnect', 'transport close', 'pagehide']], transport);
    if (transport === 'websocket') {
      assert.equal(world.sockets[0].readyState, 3);
    } else {
      assert.deepEqual(world.beacons.map(([url, body]) => [new URL(url).searchParams.get('sid'), body]), [[world.session.id, '42["and more"]\x1e1']]);
    }
    // Browsers tell of it that it is not looked at any more after they have told that it goes.
    world.browser.document.dispatch('visibilitychange');
    const before = world.sockets.length + world.requests.length;
    world.run(60_000);
    assert.equal(socket.connected, false);
    assert.equal(world.sockets.length + world.requests.length, before);
    world.browser.window.dispatch('pageshow');
    world.run(200);
    assert.equal(socket.connected, true);
  }
});

test('a page that is shown the first time, or looked at again, does not connect twice', () => {
  const world = new World({ rtt: 10 });
  world.io();
  world.browser.window.dispatch('pageshow');
  world.run(100);
  world.browser.document.dispatch('visibilitychange');
  world.run(100);
  assert.equal(world.sockets.length, 1);
});

test('a tab that is looked at does not wait for the next attempt', () => {
  const world = new World(), socket = world.connected('websocket');
  world.sockets[0].die();
  world.browser.document.dispatch('visibilitychange');
  world.run(60);
  assert.equal(socket.connected, true);
});

/** When attempts began, in milliseconds, while each transport is in that mode. */
function attemptsIn(mode, ms, options) {
  const world = new World(), began = [];
  for (const name of ['websocket', 'polling', 'htmlfile', 'jsonp']) world.modes[name] = mode;
  if (mode === 'html') world.modes.websocket = 'refuse';
  const socket = world.io('http://host/', options);
  socket.io.on('reconnect_attempt', () => began.push(world.clock.now));
  const from = world.clock.now;
  world.run(ms);
  return { world, socket, began: began.map((at) => at - from) };
}

test('behind a page that somebody puts in place of every answer attempts are close at first, and become few', () => {
  const { world, socket, began } = attemptsIn('html', 120_000), gaps = began.map((at, i) => at - (began[i - 1] ?? 0));
  const each = gaps[0] - 250;  // an attempt: four transports, one after the other
  assert.ok(each > 50 && each < 400, `${each}`);
  const waits = gaps.map((gap) => Math.round(gap - each));
  assert.deepEqual(waits.slice(0, 9), [250, 297, 354, 420, 500, 595, 707, 841, 1000]);
  assert.deepEqual(waits.slice(-3), [5000, 5000, 5000]);
  assert.equal(world.events.length, began.length + 1);  // each is said to have failed
  up(world);
  world.run(5200);
  assert.equal(socket.connected, true);
});

test('a server that refuses, or attempts that are counted, are no reason to hurry', () => {
  for (const { began } of [attemptsIn('refuse', 4000), attemptsIn('html', 4000, { reconnectionAttempts: 5 })]) {
    assert.equal(began.length, 2, `${began}`);
    assert.ok(began[0] > 1000 && began[1] > 3000, `${began}`);
  }
});

test('a page that connects whenever it could not does not hammer the server, nor attempts beyond their number', () => {
  const world = new World(), socket = world.io('http://host/', { transports: ['websocket'], reconnectionAttempts: 3 });
  const heard = note(socket.io, 'reconnect_attempt', 'reconnect_failed');
  down(world);
  socket.on('connect_error', () => socket.connect());
  world.run(60_000);
  assert.deepEqual(heard, [['reconnect_attempt', 1], ['reconnect_attempt', 2], ['reconnect_attempt', 3], ['reconnect_failed']]);
  assert.equal(world.sockets.length, 4);
});

test('a page that connects when it hears of a loss, or of a failure without reconnection, opens one connection', () => {
  const world = new World(), socket = world.connected('websocket');
  socket.on('disconnect', () => socket.connect());
  world.sockets[0].die();
  world.run(20_000);
  assert.deepEqual([socket.connected, world.sockets.length], [true, 2]);
  const other = new World(), once = other.io('http://host/', { transports: ['websocket'], reconnection: false });
  down(other);
  once.once('connect_error', () => { up(other); once.connect(); });
  other.run(20_000);
  assert.deepEqual([once.connected, other.sockets.length], [true, 2]);
});

test('after the last attempt nothing but connect() begins again, and then all attempts are there', inside, () => {
  const world = new World(), socket = world.connected('websocket', { reconnectionAttempts: 2 }), heard = note(socket.io, 'reconnect_attempt');
  down(world);
  world.sockets[0].die();
  world.run(20_000);
  world.page.run("onPage({ type: 'visibilitychange' })");
  world.run(20_000);
  assert.deepEqual(heard, [['reconnect_attempt', 1], ['reconnect_attempt', 2]]);
  socket.connect();
  world.run(20_000);
  assert.deepEqual(heard.slice(2), [['reconnect_attempt', 1], ['reconnect_attempt', 2]]);
});

test('who disconnects and connects again has all attempts again', () => {
  const world = new World(), socket = world.connected('websocket', { reconnectionAttempts: 3 }), heard = note(socket.io, 'reconnect_attempt', 'reconnect_failed');
  down(world);
  world.sockets[0].die();
  world.run(4000);
  assert.deepEqual(heard, [['reconnect_attempt', 1], ['reconnect_attempt', 2]]);
  socket.disconnect();
  socket.connect();
  world.run(60_000);
  assert.deepEqual(heard.slice(2), [['reconnect_attempt', 1], ['reconnect_attempt', 2], ['reconnect_attempt', 3], ['reconnect_failed']]);
});

test('connect() during the wait is the next attempt, and its success is told like any', () => {
  const world = new World(), socket = world.connected('websocket', { reconnectionDelay: 5000 }), heard = note(socket.io, 'reconnect_attempt', 'reconnect');
  world.sockets[0].die();
  world.run(500);
  socket.connect();
  world.run(100);
  assert.deepEqual(heard, [['reconnect_attempt', 1], ['reconnect', 1]]);
});

test('an option that is undefined is one that is not given, and 0 attempts are any number, as in socket.io-client', () => {
  const none = {};
  for (const name of ['path', 'upgrade', 'timeout', 'autoConnect', 'reconnection', 'reconnectionDelay', 'reconnectionDelayMax', 'randomizationFactor',
    'reconnectionAttempts', 'maxBuffer', 'transports', 'query', 'auth', 'fallbackDelay']) none[name] = undefined;
  const world = new World(), socket = world.io('http://host/', none);
  world.run(300);
  assert.equal(socket.connected, true);
  assert.match(world.sockets[0].url, /^ws:\/\/host\/socket\.io\/\?/);
  const other = new World(), counted = other.connected('websocket', { reconnectionAttempts: 0 }), begun = other.sockets.length;
  down(other);
  other.sockets[0].die();
  other.run(20_000);
  assert.deepEqual([counted.connected, other.sockets.length - begun], [false, 5]);
});

test('a page that was offline, or in the cache, holds nothing against its transport', inside, () => {
  const world = new World(), socket = world.io();
  world.run(300);
  for (let i = 0; i < 3; i++) {
    world.run(20_000);
    world.navigator.onLine = false;
    world.page.run("onPage({ type: 'offline' })");
    world.run(5000);
    world.navigator.onLine = true;
    world.page.run("onPage({ type: 'online' })");
    world.run(3000);
  }
  assert.equal(socket.io.engine.transport.name, 'websocket');
});

test('a socket that does not want to be connected does not listen to the page', () => {
  const world = new World(), socket = world.connected('websocket');
  socket.disconnect();
  for (const name of ['online', 'pageshow', 'offline', 'pagehide']) world.browser.window.dispatch(name);
  world.run(1000);
  assert.equal(world.sockets.length, 1);
});

test('a socket whose connection was given up connects when it is told to', () => {
  const world = new World(), socket = world.connected('websocket', { reconnection: false });
  world.sockets[0].die();
  world.run(10_000);
  assert.equal(world.sockets.length, 1);
  socket.connect();
  socket.connect();
  world.run(200);
  assert.deepEqual([socket.connected, world.sockets.length], [true, 2]);
  socket.io.close();
  socket.connect();
  world.run(200);
  assert.deepEqual([socket.connected, world.sockets.length], [true, 3]);
  assert.deepEqual([...world.sessions.values()].map(({ heard }) => heard), [['40'], ['40'], ['40']]);
});

test('browsers without pagehide say goodbye at unload', () => {
  const world = new World({ without: ['onpagehide'] });
  world.connected('websocket');
  world.browser.window.dispatch('unload');
  assert.deepEqual(world.events, [['disconnect', 'transport close', 'unload']]);
});

test('Internet Explorer 6-8 are listened to by attachEvent', () => {
  const attached = {};
  const world = new World({ without: ['addEventListener'], globals: { attachEvent: (name, listener) => { attached[name] = listener; } } });
  world.connected('polling', { upgrade: false });
  attached.onoffline({ type: 'offline' });
  assert.deepEqual(Object.keys(attached).filter((name) => name !== 'onvisibilitychange'), ['ononline', 'onoffline', 'onpageshow', 'onpagehide']);
});

test('a transport that dies again and again soon after it worked is tried last, and one that works is kept', () => {
  const world = new World({ rtt: 10 }), socket = world.io();
  world.run(100);
  for (let i = 0; i < 3; i++) {
    assert.equal(socket.io.engine.transport.name, 'websocket');
    world.sockets.at(-1).die();
    world.run(1200);
  }
  assert.equal(socket.connected, true);
  assert.equal(socket.io.engine.transport.name, 'polling');
  const before = world.sockets.length;
  world.run(30_000);
  assert.equal(world.sockets.length, before, 'no upgrade to what keeps dying');
});

test('deaths that are far between are not held against a transport', () => {
  const world = new World({ }), socket = world.io();
  world.run(100);
  for (let i = 0; i < 6; i++) {
    for (let minute = 0; minute < 5; minute++) {
      world.run(40_000);
      world.session.say('2');
    }
    world.run(100);
    world.sockets.at(-1).die();
    world.run(1200);
    assert.equal(socket.io.engine.transport.name, 'websocket');
  }
});

// -- memory

const visit = (storage, modes, options = {}) => {
  const world = new World({ rtt: 10, modes, globals: { localStorage: storage } });
  const socket = world.io('http://host/', { upgrade: false, ...options });
  world.run(3000);
  assert.equal(socket.connected, true);
  return world;
};
const store = () => new World().browser.globals.localStorage;

test('the next visit begins with what worked, for a day and for this server only', () => {
  const storage = store();
  visit(storage, { websocket: 'silent' });
  assert.match(storage.kept.get('anywirehttp_host_socket_io_'), /^polling\/\d+\/\d{13}$/);
  assert.deepEqual(visit(storage, { websocket: 'silent' }).started, ['polling']);
  assert.deepEqual(visit(storage, { websocket: 'silent' }, { remember: false }).started, ['websocket', 'polling']);
  assert.deepEqual(visit(storage, { websocket: 'silent' }, { path: '/other' }).started, ['websocket', 'polling']);
  const [name, ms] = storage.getItem('anywirehttp_host_socket_io_').split('/');
  storage.setItem('anywirehttp_host_socket_io_', `${name}/${ms}/1699999999999`);
  assert.deepEqual(visit(storage, {}).started, ['websocket']);
});

test('what is remembered is only where to begin', () => {
  const storage = store();
  visit(storage, { websocket: 'silent' });
  assert.deepEqual(visit(storage, { polling: 'refuse' }).started, ['polling', 'websocket']);
});

test('without localStorage a cookie remembers, and without both nothing does and nothing breaks', () => {
  const jar = {};
  const make = () => {
    const world = new World({ without: ['localStorage'], modes: { websocket: 'silent' } });
    Object.defineProperty(world.browser.document, 'cookie', {
      get: () => Object.entries(jar).map(([key, value]) => `${key}=${value}`).join('; '),
      set: (text) => { const [, key, value] = /^([^=]+)=([^;]*);path=\/;expires=.* GMT$/.exec(text); jar[key] = value; },
    });
    jar.other = '1';
    return world;
  };
  const first = make();
  first.io('http://host/', { upgrade: false });
  first.run(2000);
  assert.match(jar.anywirehttp_host_socket_io_, /^polling\//);
  jar.zzz = '2';
  const second = make();
  second.io('http://host/', { upgrade: false });
  second.run(2000);
  assert.deepEqual(second.started, ['polling']);
  const third = new World({ without: ['localStorage'] });
  Object.defineProperty(third.browser.document, 'cookie', { get: () => { throw new Error('SecurityError'); }, set: () => { throw new Error('SecurityError'); } });
  third.connected('websocket');
});

// -- options

test("0.9's names of options mean what today's do", inside, () => {
  const { withDefaults } = new World().page;
  const opts = withDefaults({ resource: 'live/socket', 'connect timeout': 1, 'auto connect': false, reconnect: false, 'max reconnection attempts': 3,
    'reconnection delay': 4, 'reconnection limit': 5, 'force new connection': true, host: 'example.org', transports: ['xhr-polling', 'jsonp-polling', 'websocket'] });
  const { path, timeout, autoConnect, reconnection, reconnectionAttempts, reconnectionDelay, reconnectionDelayMax, forceNew, hostname } = opts;
  assert.deepEqual([path, timeout, autoConnect, reconnection, reconnectionAttempts, reconnectionDelay, reconnectionDelayMax, forceNew, hostname],
    ['/live/socket/', 1, false, false, 3, 4, 5, true, 'example.org']);
  assert.deepEqual([...opts.transports], ['polling', 'jsonp', 'websocket']);
});

test('a Manager can be made by hand, with an address or without, and closed', () => {
  const world = new World(), { Manager } = world.page.io;
  const manager = new Manager('http://host/', { transports: ['websocket'], autoConnect: false });
  let opened = 0;
  manager.open((error) => { assert.equal(error, undefined); opened++; });
  world.run(100);
  assert.equal(opened, 1);
  const socket = manager.socket('/a').open();
  world.run(100);
  assert.equal(socket.connected, true);
  manager.close();
  assert.equal(socket.connected, false);
  world.run(60_000);
  assert.equal(world.sockets.length, 1);
  const plain = new Manager('', { transports: ['websocket'] });
  world.run(100);
  assert.equal(plain.connected, true);
  plain.disconnect();
});
