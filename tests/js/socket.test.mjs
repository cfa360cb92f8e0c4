// One namespace: events, answers, buffers, flags, and what 0.9's pages expect.
import assert from 'node:assert/strict';
import test from 'node:test';
import { World } from './world.mjs';

const plain = (value) => JSON.parse(JSON.stringify(value));
const said = (world) => { world.run(50); return world.session.heard.filter((packet) => !/^40/.test(packet)); };

test('answers reach their callback, once', () => {
  const world = new World(), socket = world.connected(), heard = [];
  socket.emit('a', (...args) => heard.push(['a', ...args]));
  socket.emit('b', 1, (...args) => heard.push(['b', ...args]));
  assert.deepEqual(said(world), ['420["a"]', '421["b",1]']);
  world.session.say('431["x",2]', '430[]', '430["again"]', '437["nobody asked"]');
  world.run(50);
  assert.deepEqual(heard, [['b', 'x', 2], ['a']]);
});

test("the server's events are answered once", () => {
  const world = new World(), socket = world.connected();
  socket.on('ask', (question, answer) => { answer(question + '!', new Uint8Array([7])); answer('again'); });
  world.session.say('4212["ask","how"]');
  assert.deepEqual(said(world).map((part) => (part instanceof Uint8Array ? [...part] : part)), ['461-12["how!",{"_placeholder":true,"num":0}]', [7]]);
});

test('a timeout tells the callback that none came, and an answer in time comes after null', () => {
  const world = new World(), socket = world.connected(), heard = [];
  socket.timeout(1000).emit('slow', (...args) => heard.push(args.map((arg) => arg?.message ?? arg)));
  socket.timeout(1000).emit('fast', (...args) => heard.push(args));
  world.run(500);
  world.session.say('431["in time"]');
  world.run(1000);
  world.session.say('430["too late"]');
  world.run(1000);
  assert.deepEqual(heard, [[null, 'in time'], ['operation has timed out']]);
});

test('emitWithAck promises the answer, or why there is none', async () => {
  const world = new World(), socket = world.connected();
  const good = socket.emitWithAck('good', 1), late = socket.timeout(10).emitWithAck('late'), lost = socket.emitWithAck('lost');
  world.run(5);
  world.session.say('430["yes"]');
  world.run(100);
  assert.equal(await good, 'yes');
  await assert.rejects(late, { message: 'operation has timed out' });
  world.sockets[0].die();
  await assert.rejects(lost, { message: 'socket has been disconnected' });
});

test('what is emitted while offline goes out in order when the namespace is joined, at most maxBuffer of it', () => {
  const world = new World(), socket = world.io('http://host/', { transports: ['websocket'], maxBuffer: 3 }), lost = [];
  socket.timeout(1e6).emit('n', 0, (error) => lost.push(error.message));
  for (let n = 1; n < 5; n++) socket.emit('n', n);
  assert.deepEqual(lost, ['buffer is full']);
  world.run(100);
  assert.deepEqual(said(world), ['42["n",2]', '42["n",3]', '42["n",4]']);
});

test('maxBuffer is the manager\'s, also for a namespace with options of its own', () => {
  const world = new World(), lost = [];
  const chat = world.io('http://host/', { transports: ['websocket'], maxBuffer: 1 }).io.socket('/chat', { auth: { token: 'x' } });
  chat.timeout(1e6).emit('n', 0, (error) => lost.push(error.message));
  chat.emit('n', 1);
  assert.deepEqual(lost, ['buffer is full']);
});

test('an event with a time limit that runs out before it was sent is not sent', () => {
  const world = new World({ joins: false }), socket = world.io();
  socket.timeout(100).emit('old', () => {});
  socket.emit('new');
  world.run(200);
  world.session.say('40{"sid":"x"}');
  assert.deepEqual(said(world).filter((packet) => packet.startsWith('42')), ['42["new"]']);
});

test('volatile events go now or never', () => {
  const world = new World(), socket = world.io('http://host/', { transports: ['websocket'] });
  socket.volatile.emit('before');
  world.run(100);
  socket.volatile.emit('now');
  world.sockets[0].bufferedAmount = 1;
  socket.volatile.emit('not while others wait');
  world.sockets[0].bufferedAmount = 0;
  socket.compress(false).volatile.emit('now again');
  assert.deepEqual(said(world), ['42["now"]', '42["now again"]']);
  const poller = new World(), polling = poller.connected('polling', { upgrade: false });
  polling.emit('first');
  polling.volatile.emit('not while a POST is under way');
  assert.deepEqual(said(poller), ['42["first"]']);
});

test('volatile and timeout go together in either order', () => {
  const world = new World(), socket = world.connected('websocket'), heard = [];
  const both = [['timeout first', socket.timeout(100).volatile], ['volatile first', socket.volatile.timeout(100)],
    ['the last time counts', socket.timeout(1e6).volatile.timeout(100)]];
  for (const [name, flags] of both) {
    flags.emit(name, (error) => heard.push([name, error.message]));
    world.sockets[0].bufferedAmount = 1;
    flags.emit('not while others wait', () => {});
    world.sockets[0].bufferedAmount = 0;
  }
  world.run(99);
  assert.deepEqual(heard, []);
  world.run(1);
  assert.deepEqual(heard, both.map(([name]) => [name, 'operation has timed out']));
  assert.deepEqual(said(world), ['420["timeout first"]', '422["volatile first"]', '424["the last time counts"]']);
  socket.timeout(100).emit('a socket keeps its flags to itself', () => {});
  world.sockets[0].bufferedAmount = 1;
  socket.emit('kept');
  assert.deepEqual(said(world).slice(3), ['426["a socket keeps its flags to itself"]', '42["kept"]']);
});

test("the library's own names are refused on both sides", () => {
  const world = new World(), socket = world.connected('websocket', { reconnection: false });
  for (const name of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
    assert.throws(() => socket.emit(name), { message: `"${name}" is a reserved event name` });
  }
  world.session.say('42["connect"]');
  world.run(50);
  assert.equal(world.events[0][1], 'parse error');
});

test('what cannot be JSON is told to who emits it and harms nobody else', () => {
  const world = new World(), socket = world.connected(), ring = {};
  ring.ring = ring;
  assert.throws(() => socket.emit('x', ring));
  socket.emit('y');
  assert.deepEqual(said(world), ['42["y"]']);
});

test('what looks like a placeholder in an event without attachments is what was said', () => {
  const world = new World(), socket = world.connected(), heard = [];
  socket.on('x', (data) => heard.push(data));
  world.session.say('42["x",{"_placeholder":true,"num":0}]');
  world.run(50);
  assert.deepEqual(JSON.parse(JSON.stringify(heard)), [{ _placeholder: true, num: 0 }]);
  assert.equal(socket.connected, true);
});

test('a namespace that is left before the server has answered is left there too, and can be joined again', () => {
  const world = new World(), root = world.connected();
  const chat = world.page.io('http://host/chat', { transports: ['websocket'] });
  chat.disconnect();
  world.run(100);
  assert.deepEqual(world.session.heard.slice(1), ['40/chat,', '41/chat,']);
  assert.equal(chat.connected, false);
  chat.connect();
  chat.disconnect();
  chat.connect();
  world.run(100);
  assert.deepEqual(world.session.heard.slice(3), ['40/chat,', '41/chat,', '40/chat,']);
  assert.deepEqual([root.connected, chat.connected], [true, true]);
});

test('namespaces share a connection; it ends with the last', () => {
  const world = new World(), root = world.connected(), chat = world.page.io('http://host/chat', { transports: ['websocket'] });
  world.run(50);
  assert.equal(world.sockets.length, 1);
  assert.equal(chat.io, root.io);
  assert.notEqual(chat.id, root.id);
  chat.emit('x');
  world.run(50);
  assert.equal(world.session.heard.at(-1), '42/chat,["x"]');
  const heard = [];
  chat.on('y', () => heard.push('chat'));
  root.on('y', () => heard.push('root'));
  world.session.say('42/chat,["y"]', '42/nobody,["y"]');
  world.run(50);
  assert.deepEqual(heard, ['chat']);
  chat.disconnect();
  world.run(50);
  assert.deepEqual([world.session.heard.at(-1), root.connected, world.sockets[0].readyState], ['41/chat,', true, 1]);
  root.disconnect();
  assert.equal(world.sockets[0].readyState, 3);
});

test('the same namespace twice, forceNew and multiplex: false are connections of their own, and no one else is given them', () => {
  const world = new World(), { io } = world.page, options = { transports: ['websocket'] };
  const forced = io('http://host/', { ...options, forceNew: true }), first = io('http://host/', options), again = io('http://host/', options);
  const alone = io('http://host/a', { ...options, multiplex: false }), shared = io('http://host/b', options);
  assert.equal(new Set([forced, first, again, alone].map((socket) => socket.io)).size, 4);
  assert.equal(shared.io, first.io);
});

test('a refusal is told with its data, as 0.9 heard it too, and is not tried again', () => {
  const world = new World({ joins: false }), socket = world.io(), heard = [];
  for (const name of ['connect_failed', 'error']) socket.on(name, (error) => heard.push([name, error.message ?? error]));
  let data;
  socket.on('connect_error', (error) => { data = error.data; });
  world.run(100);
  world.session.say('44{"message":"not you","data":{"code":7}}');
  world.run(60_000);
  assert.deepEqual(world.events, [['connect_error', 'not you']]);
  assert.deepEqual(plain(data), { code: 7 });
  assert.deepEqual(heard, [['connect_failed', 'not you'], ['error', 'not you']]);
  assert.equal(socket.active, false);
  socket.connect();
  world.joins = true;
  world.run(200);
  assert.equal(socket.connected, true);
});

test('a bare text as refusal, and a server of Socket.IO 2, are errors with a message', () => {
  for (const [packet, message] of [['44"no"', 'no'], ['40', 'Socket.IO 2']]) {
    const world = new World({ joins: false });
    world.io();
    world.run(100);
    world.session.say(packet);
    world.run(50);
    assert.deepEqual(world.events, [['connect_error', message]]);
  }
});

test('the server may send a socket away, which then stays away', () => {
  const world = new World(), socket = world.connected();
  world.session.say('41');
  world.run(60_000);
  assert.deepEqual(world.events, [['disconnect', 'io server disconnect']]);
  assert.deepEqual([socket.connected, socket.disconnected, socket.active, socket.id], [false, true, false, undefined]);
});

test('auth is an object, or a function that may take its time', () => {
  const world = new World();
  world.io('http://host/', { auth: { token: 'x' } });
  world.run(100);
  assert.equal(world.session.heard[0], '40{"token":"x"}');
  const slow = new World();
  let give;
  const socket = slow.io('http://host/', { auth: (done) => { give = done; }, transports: ['websocket'] });
  slow.run(1000);
  give({ late: 1 });
  slow.run(50);
  assert.deepEqual([slow.session.heard.filter((packet) => packet !== '40/!,'), socket.connected], [['40{"late":1}'], true]);
  const late = give;
  slow.sockets.at(-1).die();
  slow.run(1100);
  late({ stale: 1 });
  give({ fresh: 1 });
  slow.run(50);
  assert.deepEqual(slow.session.heard, ['40{"fresh":1}']);
});

test('a session that the server recovers says so, and what was missed comes first', () => {
  const world = new World({ joins: false }), socket = world.io('http://host/', { transports: ['websocket'] }), heard = [];
  socket.on('n', (n) => heard.push(n));
  socket.on('connect', () => heard.push(`connect ${socket.recovered}`));
  world.run(100);
  world.session.say('40{"sid":"a","pid":"p"}', '42["n",1,"offset1"]');
  world.run(50);
  world.sockets[0].die();
  world.run(1100);
  assert.equal(world.session.heard[0], '40{"pid":"p","offset":"offset1"}');
  world.session.say('42["n",2,"offset2"]', '40{"sid":"a","pid":"p"}');
  world.run(50);
  assert.deepEqual(heard, ['connect false', 1, 2, 'connect true']);
});

test('onAny hears every event of the server before its listeners, until offAny', () => {
  const world = new World(), socket = world.connected(), heard = [], any = (...args) => heard.push(args), other = () => heard.push('other');
  socket.onAny(any).onAny(other).on('x', () => heard.push('x'));
  world.session.say('42["x",1]');
  world.run(50);
  assert.deepEqual(heard, [['x', 1], 'other', 'x']);
  socket.offAny(any);
  world.session.say('42["x"]');
  world.run(50);
  socket.offAny();
  world.session.say('42["x"]');
  world.run(50);
  assert.deepEqual(heard.slice(3), ['other', 'x', 'x']);
  let self;
  socket.onAny(function () { self = this; });
  world.session.say('42["x"]');
  world.run(50);
  assert.equal(self, socket);
});

test("a listener's error reaches the page later and the connection never", () => {
  const world = new World(), socket = world.connected();
  socket.on('x', () => { throw new Error('mine'); });
  socket.emit('ask', () => { throw new Error('ack'); });
  world.run(20);
  world.session.say('42["x"]');
  assert.throws(() => world.run(50), { message: 'mine' });
  world.session.say('430[]');
  assert.throws(() => world.run(50), { message: 'ack' });
  assert.equal(socket.connected, true);
});

test("0.9's page finds what it knows", () => {
  const world = new World(), socket = world.page.io.connect('http://host', { transports: ['websocket'], 'force new connection': true }), heard = [];
  for (const name of ['connect', 'disconnect', 'reconnecting', 'reconnect', 'message', 'mine']) socket.on(name, (...args) => heard.push([name, ...args]));
  assert.equal(socket.socket.connected, false);
  world.run(100);
  assert.deepEqual([socket.socket.connected, socket.socket.transport.name, socket.socket.sessionid === world.session.id], [true, 'websocket', true]);
  socket.send('hello');
  socket.json.send({ a: 1 }, (answer) => heard.push(['answer', answer]));
  assert.deepEqual(said(world), ['42["message","hello"]', '420["message",{"a":1}]']);
  world.session.say('430["ok"]', '42["message","back"]');
  world.run(50);
  socket.$emit('mine', 1);
  const chat = socket.of('/chat');
  world.run(50);
  assert.equal(chat.connected, true);
  world.sockets[0].die();
  world.run(1100);
  assert.deepEqual(heard, [['connect'], ['answer', 'ok'], ['message', 'back'], ['mine', 1], ['disconnect', 'transport close', heard[4][2]],
    ['reconnecting', 1000, 1], ['reconnect', 'websocket', 1], ['connect']]);
  socket.socket.disconnect();
  assert.deepEqual([socket.connected, chat.connected], [false, false]);
});

test("0.9's page connects, and comes back, by socket.socket", () => {
  const world = new World(), socket = world.io('http://host', { transports: ['websocket'], 'auto connect': false });
  world.run(300);
  assert.equal(world.sockets.length, 0);
  socket.socket.connect();
  world.run(300);
  assert.deepEqual([socket.connected, socket.socket.connected, socket.socket.transport.name], [true, true, 'websocket']);
  socket.disconnect();
  world.run(300);
  assert.deepEqual([socket.connected, socket.socket.connected], [false, false]);
  socket.socket.reconnect();
  world.run(300);
  assert.deepEqual([socket.connected, socket.socket.connected], [true, true]);
});

test("0.9's page hears when nothing works", () => {
  const world = new World({ modes: { websocket: 'refuse' } });
  const socket = world.io('http://host/', { transports: ['websocket'], 'max reconnection attempts': 2 }), heard = [];
  for (const name of ['connect_failed', 'reconnecting', 'reconnect_failed']) socket.on(name, () => heard.push(name));
  world.run(20_000);
  assert.deepEqual(heard, ['connect_failed', 'reconnecting', 'connect_failed', 'reconnecting', 'connect_failed', 'reconnect_failed']);
});
