// The transports over HTTP: what they put into requests and into the page, and what they make of answers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { World } from './world.mjs';

const posts = (world) => world.requests.filter(({ method }) => method === 'POST');
const gets = (world, transport) => world.requests.filter((request) => request.method === 'GET' && request.transport === transport);

for (const transport of ['polling', 'htmlfile', 'jsonp']) {
  test(`${transport}: one POST at a time, with all that has gathered`, () => {
    const world = new World(), socket = world.connected(transport, { upgrade: false }), before = posts(world).length;
    for (let i = 0; i < 10; i++) socket.emit('n', i);
    assert.equal(posts(world).length, before + 1);
    world.run(100);
    assert.equal(posts(world).length, before + 2);
    assert.deepEqual(world.session.heard.slice(1), Array.from({ length: 10 }, (_, i) => `42["n",${i}]`));
  });

  test(`${transport}: a body stays within the server's maxPayload, and what alone is larger goes alone`, () => {
    const world = new World();
    world.maxPayload = 1000;
    const socket = world.connected(transport, { upgrade: false }), before = posts(world).length;
    socket.emit('first');
    for (const text of ['é'.repeat(40), 'é'.repeat(40), 'x'.repeat(2000), 'y']) socket.emit('t', text);
    world.run(300);
    const bodies = posts(world).slice(before).map(({ body }) => body);
    assert.ok(bodies.length >= 4);
    assert.equal(bodies.filter((body) => body.length > 1000).length, 1);
    assert.equal(world.session.heard.length, 6);
  });

  test(`${transport}: a POST whose answer is somebody else's ends the session`, () => {
    const world = new World(), socket = world.connected(transport, { upgrade: false, reconnection: false });
    const serve = world.serve;
    world.serve = function (request, ...rest) {
      if (request.method === 'POST') return request.answer('<html>Your company blocks this</html>');
      return serve.call(this, request, ...rest);
    };
    socket.emit('x');
    world.run(100);
    assert.deepEqual(world.events, [['disconnect', 'transport error', 'POST got <html>Your company blocks this</html>']]);
    assert.equal(world.browser.furniture, 0);
  });

  test(`${transport}: text of every kind arrives as it was`, () => {
    const world = new World(), socket = world.connected(transport, { upgrade: false });
    const text = '\n \\n \\\\n \r\n " \' <script> & = % + é € 😀 \u2028 \u0000 </script>', heard = [];
    socket.on('t', (value) => heard.push(value));
    socket.emit('t', text);
    world.session.say(`42${JSON.stringify(['t', transport === 'htmlfile' ? text.replace('</script>', '') : text])}`);
    world.run(100);
    assert.equal(world.session.heard.at(-1), `42${JSON.stringify(['t', text])}`);
    assert.equal(heard.length, 1);
  });
}

for (const [transport, why] of [['polling', 'HTTP 0'], ['jsonp', 'no script']]) {
  test(`${transport}: a poll that breaks ends the session, which comes back`, () => {
    const world = new World(), socket = world.connected(transport, { upgrade: false });
    gets(world, transport).at(-1).fail();
    world.run(150);
    assert.deepEqual(world.events, [['disconnect', 'transport error', why]]);
    world.run(2000);
    assert.equal(socket.connected, true);
  });
}

test('htmlfile: a stream that ends is opened again on the same session, and nothing said meanwhile is lost', () => {
  const world = new World(), socket = world.connected('htmlfile', { upgrade: false }), heard = [];
  socket.on('n', (n) => heard.push(n));
  world.session.say('42["n",1]');
  gets(world, 'htmlfile').at(-1).end();
  world.session.say('42["n",2]');
  world.run(100);
  world.session.say('42["n",3]');
  assert.deepEqual(heard, [1, 2, 3]);
  assert.equal(gets(world, 'htmlfile').length, 2);
  assert.equal(gets(world, 'htmlfile')[1].query.get('sid'), world.session.id);
  assert.deepEqual(world.events, []);
});

test('htmlfile is for the own origin only', () => {
  const world = new World();
  world.io('http://other/', { transports: ['htmlfile'], reconnection: false });
  world.run(10);
  assert.deepEqual(world.events, [['connect_error', 'htmlfile: impossible, other origin']]);
});

test('htmlfile in Internet Explorer lives in an ActiveX document, whose connection ends by about:blank', () => {
  const calls = [];
  const world = new World({
    globals: {
      ActiveXObject: function (kind) {
        assert.equal(kind, 'htmlfile');
        this.open = () => calls.push('open');
        this.write = (html) => calls.push(html);
        this.close = () => calls.push('close');
        this.parentWindow = {};
        world.inner = this;
        this.createElement = (tag) => world.browser.create(tag);
        this.body = world.browser.document.body;
      },
      CollectGarbage: () => calls.push('collect'),
    },
  });
  const socket = world.connected('htmlfile', { upgrade: false });
  assert.equal(world.inner.parentWindow.anywire_htmlfile, world.page.anywire_htmlfile);
  const [frame] = world.browser.root.getElementsByTagName('iframe');
  socket.disconnect();
  world.run(200);
  assert.equal(frame.src, 'about:blank');
  assert.deepEqual(calls, ['open', '<html></html>', 'close', 'collect']);
});

test('streams and scripts wait for the load event of the page, so that it shows no spinner; XHR does not', () => {
  for (const transport of ['htmlfile', 'jsonp']) {
    const world = new World({ readyState: 'interactive' }), socket = world.io('http://host/', { transports: [transport], upgrade: false });
    world.run(500);
    assert.equal(world.requests.length, 0);
    world.browser.document.readyState = 'complete';
    world.browser.window.dispatch('load');
    world.run(200);
    assert.equal(socket.connected, true);
  }
  const world = new World({ readyState: 'loading' }), socket = world.io('http://host/', { transports: ['polling'], upgrade: false });
  world.run(200);
  assert.equal(socket.connected, true);
});

test('a transport that is given up before the load event never starts', () => {
  const world = new World({ readyState: 'loading' }), socket = world.io('http://host/', { transports: ['jsonp'] });
  world.run(10);
  socket.disconnect();
  world.browser.window.dispatch('load');
  world.run(1000);
  assert.equal(world.requests.length, 0);
});

test('hours of JSONP and of a hidden stream leave nothing behind', () => {
  for (const transport of ['jsonp', 'htmlfile']) {
    const world = new World(), socket = world.connected(transport, { upgrade: false }), furniture = world.browser.furniture;
    for (let i = 0; i < 500; i++) {
      socket.emit('n', i);
      world.session.say('42["n"]', '2');
      world.run(100);
    }
    assert.equal(world.session.heard.filter((packet) => packet.startsWith('42')).length, 500);
    assert.ok(world.browser.furniture <= furniture + 1, `${world.browser.furniture} nodes`);
    assert.equal(world.page[transport === 'jsonp' ? '___eio' : 'anywire_htmlfile'].length, 1);
    assert.ok(world.clock.timers.size < 5);
  }
});

test('a JSONP script that calls after it was given up is not heard', () => {
  const world = new World(), socket = world.connected('jsonp', { upgrade: false, reconnection: false }), heard = [];
  socket.on('late', () => heard.push('late'));
  const poll = gets(world, 'jsonp').at(-1);
  socket.disconnect();
  world.run(100);
  poll.answer('42["late"]');
  world.run(100);
  assert.deepEqual([heard, world.browser.errors], [[], []]);
});

test('JSONP in Internet Explorer: "loaded" without a call is a failure, a moment later', () => {
  const world = new World();
  world.connected('jsonp', { upgrade: false, reconnection: false });
  const [script] = world.browser.root.getElementsByTagName('script');
  script.readyState = 'loading';
  script.onreadystatechange();
  world.run(200);
  assert.equal(world.events.length, 0);
  script.readyState = 'loaded';
  script.onreadystatechange();
  world.run(99);
  assert.equal(world.events.length, 0);
  world.run(2);
  assert.deepEqual(world.events[0], ['disconnect', 'transport error', 'no script']);
});

test("a form's answer that cannot be read, because it is another origin's, is taken for good", () => {
  const world = new World({ href: 'http://page/' }), socket = world.connected('jsonp', { upgrade: false });
  const run = world.serve;
  world.serve = function (request, ...rest) {
    if (request.method === 'POST') {
      const frame = this.browser.root.getElementsByTagName('iframe').at(-1);
      Object.defineProperty(frame, 'contentWindow', { get: () => { throw new Error('cross origin'); } });
    }
    return run.call(this, request, ...rest);
  };
  socket.emit('x');
  world.run(200);
  assert.equal(world.session.heard.at(-1), '42["x"]');
  assert.deepEqual(world.events, []);
});

test("a form whose connection broke, of which most engines say nothing, is given up by the clock, and the session comes back", () => {
  const world = new World(), socket = world.connected('jsonp', { upgrade: false }), before = world.browser.furniture;
  world.modes.jsonp = 'deaf';
  socket.emit('x');
  world.run(14000);
  assert.deepEqual(world.events, []);
  world.run(1200);
  assert.deepEqual(world.events, [['disconnect', 'transport error', 'no answer']]);
  world.modes.jsonp = 'up';
  world.run(3000);
  assert.equal(socket.connected, true);
  assert.ok(world.browser.furniture <= before);
});

test("Firefox's load event of the empty frame is not the answer", () => {
  const world = new World(), socket = world.connected('jsonp', { upgrade: false });
  socket.emit('x');
  const frame = world.browser.root.getElementsByTagName('iframe').at(-1);
  const loaded = frame.contentWindow;
  frame.contentWindow = { location: { href: 'about:blank' } };
  frame.dispatch('load');
  frame.contentWindow = loaded;
  world.run(200);
  assert.deepEqual([world.session.heard.at(-1), world.events], ['42["x"]', []]);
});

test('across origins an XHR that may not go there gives way to XDomainRequest, with its events', () => {
  const made = [], world = new World({ href: 'http://page/', level2: false, globals: {
    XDomainRequest: function () {
      const Xhr = world.browser.globals.XMLHttpRequest, xhr = new Xhr();
      made.push(this);
      this.open = (...args) => xhr.open(...args);
      this.send = (body) => {
        xhr.onreadystatechange = () => {
          this.onprogress();
          if (xhr.readyState === 4) { this.responseText = xhr.responseText; (xhr.status === 200 ? this.onload : this.onerror)(); }
        };
        xhr.send(body);
      };
      this.abort = () => xhr.abort();
    },
  } });
  const socket = world.connected('polling', { upgrade: false });
  socket.emit('x');
  world.run(100);
  assert.equal(world.session.heard.at(-1), '42["x"]');
  assert.ok(made.length >= 3);
  gets(world, 'polling').at(-1).fail();
  assert.deepEqual(world.events, [['disconnect', 'transport error', 'no text']]);
  socket.disconnect();
});

test('cookies go along across origins if the page says so, and never into a request of the own origin by force', () => {
  for (const [href, options, expected] of [['http://page/', { withCredentials: true }, true], ['http://page/', {}, false], ['http://host/', { withCredentials: true }, false]]) {
    const sent = [], world = new World({ href }), Xhr = world.page.XMLHttpRequest;
    world.page.XMLHttpRequest = class extends Xhr { send(body) { sent.push(this.withCredentials); super.send(body); } };
    world.io('http://host/', { transports: ['polling'], ...options });
    world.run(10);
    assert.deepEqual(sent, [expected]);
  }
});

test('Internet Explorer 6 polls by ActiveX, and an answer that may not be read is a failure', () => {
  const world = new World({ without: ['XMLHttpRequest', 'WebSocket'], globals: {
    ActiveXObject: function (kind) {
      if (kind !== 'Microsoft.XMLHTTP') throw new Error('no such thing');
      return new world.browser.globals.XMLHttpRequest();
    },
  } });
  const socket = world.io('http://host/', { transports: ['websocket', 'polling'], reconnection: false });
  world.run(200);
  assert.equal(socket.connected, true);
  world.page.ActiveXObject = function () {
    Object.assign(this, { open() {}, abort() {}, send() { this.readyState = 4; world.later(() => this.onreadystatechange()); } });
    Object.defineProperty(this, 'responseText', { get: () => { throw new Error('c00c023f'); } });
  };
  gets(world, 'polling').at(-1).answer('6');
  world.run(50);
  assert.deepEqual(world.events.at(-1), ['disconnect', 'transport error', 'HTTP 0']);
});

test('the WebSocket may be given, as Node needs it', () => {
  const world = new World({ without: ['WebSocket'] }), Made = world.webSocket();
  const socket = world.io('http://host/', { transports: ['websocket'], WebSocket: Made });
  world.run(100);
  assert.equal(socket.connected, true);
  assert.equal(world.sockets[0].binaryType, 'arraybuffer');
});
