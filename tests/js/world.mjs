// A page on a clock moved by hand, and a small Engine.IO server behind a network that can be told how to misbehave.
import { Clock } from './clock.mjs';
import { load } from './load.mjs';
import { Browser } from './page.mjs';

let last = 0;

/** One session of the played server: what it heard, what it has to say, and over what. */
class Session {
  constructor(world) {
    Object.assign(this, { world, id: `session${++last}`, heard: [], queue: [], said: [], taken: 0, carrier: null, closed: false });
  }
  /** A first packet, of which another carrier of the race may have brought as many. */
  bring(lane, packet) {
    if (packet === '6') return this.hear(packet);
    lane.brought = (lane.brought ?? 0) + 1;
    if (lane.brought <= this.taken) return;
    this.taken = lane.brought;
    this.hear(packet);
  }
  /** Says packets, now or when there is a carrier. */
  say(...packets) {
    this.queue.push(...packets);
    this.said.push(...packets);
    this.flush();
  }
  flush() {
    if (this.carrier && this.queue.length && this.carrier.take(this.queue)) this.queue = [];
  }
  /** A packet from the client. */
  hear(packet) {
    this.heard.push(packet);
    if (packet === '1') this.closed = true;
    if (this.world.onpacket) this.world.onpacket(this, packet);
    if (packet === '40/!,') return this.say('44/!,{"message":"Invalid namespace"}');
    const join = /^40(\/[^,]+,)?/.exec(packet);
    if (join && this.world.joins) this.say(`40${join[1] ?? ''}{"sid":"${this.id}${join[1] ?? ''}"}`);
    // Our server tells our client that what takes its time has arrived.
    else if (join && !this.world.plain) this.say('6');
  }
}

/** A GET that waits for something to carry; streaming ones go on. */
class Poll {
  constructor(request) { this.request = request; }
  take(packets) {
    if (this.request.over) return false;
    if (this.request.transport === 'htmlfile') {
      for (const packet of packets) this.request.chunk(`<script>_(${JSON.stringify(packet)});</script>`);
      return true;
    }
    this.request.answer(packets.join('\x1e'));
    return true;
  }
}

export class World {
  /**
   * options: of Browser; `modes`: by transport, how the way there is: up (default), refuse (502), html (somebody else's page),
   * silent (no answer at all), deaf (answers come, what the client sends is eaten); `rtt` in milliseconds, `joins`: whether the server
   * lets clients into namespaces by itself; `plain`: whether it is another server than ours, which begins no session by a POST;
   * `globals` and `without`: of load().
   */
  constructor({ modes = {}, rtt = 20, joins = true, plain = false, globals = {}, without = [], ...options } = {}) {
    Object.assign(this, { modes, rtt, joins, plain, requests: [], sockets: [], sessions: new Map(), races: new Map(), trace: [], beacons: [] });
    this.clock = new Clock();
    const navigator = { onLine: true, sendBeacon: (url, body) => { this.beacons.push([url, body]); return true; }, ...options.navigator };
    this.browser = new Browser((...request) => this.request(...request), { ...options, navigator });
    const made = { ...this.browser.globals, ...this.clock.globals, WebSocket: this.webSocket(), FileReader: this.fileReader(), Blob, crypto, ...globals };
    for (const name of without) delete made[name];
    this.page = load(made, without);
    this.browser.enter(this.page);
    // No luck: waits before attempts are as long as they can be.
    this.page.run('Math.random = function () { return 0; }');
  }

  get session() { return [...this.sessions.values()].at(-1); }
  get navigator() { return this.browser.globals.navigator; }

  /** A socket, whose transports and events are noted. */
  io(url = 'http://host/', options = {}) {
    this.events = [];
    const socket = this.page.io(url, { debug: (...line) => this.trace.push(line), ...options });
    for (const name of ['connect', 'disconnect', 'connect_error']) {
      socket.on(name, (...args) => this.events.push([name, ...args.map((arg) => arg?.message ?? arg)].filter((arg) => arg !== undefined)));
    }
    return socket;
  }

  /** A connected socket on one transport, its events cleared. */
  connected(transport = 'websocket', options = {}) {
    const socket = this.io('http://host/', { transports: [transport], ...options });
    this.run(300);
    if (!socket.connected) throw new Error(`not connected: ${JSON.stringify(this.trace)}`);
    this.events.length = 0;
    return socket;
  }

  run(ms) { this.clock.advance(ms); }
  later(fn, ms = this.rtt / 2) { this.clock.globals.setTimeout(fn, ms); }
  /** Names of transports that were started, in order. */
  get started() { return this.trace.filter(([mark, , data]) => mark === '=' && data !== 'carries').map(([, name]) => name); }
  /** What went wrong with transports: [name, why]. */
  get failed() { return this.trace.filter(([mark]) => mark === '!').map(([, name, why]) => [name, why]); }

  open(session) {
    this.sessions.set(session.id, session);
    const { pingInterval = 25000, pingTimeout = 20000, maxPayload = 1e6, upgrades = ['websocket'] } = this;
    return `0${JSON.stringify({ sid: session.id, upgrades, pingInterval, pingTimeout, maxPayload })}`;
  }

  /** Says the handshake of a new session, which others may join by the token of a race, if this is a server of ours. */
  greet(session, token) {
    session.queue.unshift(this.open(session));
    session.said.unshift(session.queue[0]);
    if (token?.length >= 16 && !this.plain) this.races.set(token, session);
  }

  /** The client has chosen: its race is over. */
  decide(session) {
    for (const [token, racing] of this.races) if (racing === session) this.races.delete(token);
  }

  // -- HTTP

  request(method, url, body, on) {
    const { searchParams: query } = new URL(url), world = this;
    const transport = query.has('j') ? 'jsonp' : query.get('transport'), mode = this.modes[transport] ?? 'up';
    const request = {
      method, url, body, query, transport, over: false,
      chunk: (text) => { if (!request.over) on.chunk(text); },
      answer(text, status = 200) {
        if (request.over) return;
        request.over = true;
        if (transport === 'jsonp' && method === 'GET' && status === 200) text = `___eio[${query.get('j')}](${JSON.stringify(text)});`;
        on.head(status);
        on.chunk(text);
        on.end();
      },
      end() { request.over = true; on.end(); },
      fail() { if (!request.over) { request.over = true; on.fail(); } },
    };
    this.requests.push(request);
    this.later(() => world.serve(request, mode, on), this.rtt);
    return () => { request.over = request.aborted = true; };
  }

  serve(request, mode, on) {
    if (mode === 'silent' || request.over || (mode === 'deaf' && request.method === 'POST')) return;
    if (mode === 'refuse') return request.answer('Bad Gateway', 502);
    if (mode === 'html') return request.answer('<html>Please log in</html>');
    const sid = request.query.get('sid'), posts = request.method === 'POST' && !sid;
    const rival = posts && this.races.get(request.query.get('aw')), session = sid ? this.sessions.get(sid) : rival || new Session(this);
    if (sid) this.decide(session);
    if (!session) return request.answer('{"code":1,"message":"Session ID unknown"}', 400);
    const begins = posts;
    if (begins && (this.plain || !request.query.get('aw') || request.transport !== 'polling')) {
      return request.answer('{"code":2,"message":"Bad handshake method"}', 400);
    }
    if (request.method === 'POST' && !begins) {
      let text = request.body;
      if (request.transport === 'jsonp') text = new URLSearchParams(text).get('d').replace(/(^|[^\\])\\n/g, '$1\n').replace(/\\\\n/g, '\\n');
      request.answer('ok');
      for (const packet of text.split('\x1e')) session.hear(packet);
      return;
    }
    if (request.transport === 'htmlfile') {
      on.head(200);
      request.chunk(`<script>var _ = function (m) { parent.anywire_htmlfile[${request.query.get('i')}](m); };</script>`);
    }
    if (!sid && !rival) this.greet(session, posts && request.query.get('aw'));
    if (begins) request.body.split('\x1e').forEach((packet) => session.bring(request, packet));
    if (rival?.spoke) return request.answer(session.said.join('\x1e'));
    if (rival) session.queue = [...session.said];
    session.carrier = new Poll(request);
    session.flush();
  }

  // -- WebSocket

  webSocket() {
    const world = this;
    return class WebSocket {
      constructor(url) {
        if (world.throws) throw new Error(world.throws);
        Object.assign(this, { url, query: new URL(url).searchParams, readyState: 0, bufferedAmount: 0, sent: [] });
        world.sockets.push(this);
        world.later(() => world.accept(this), world.rtt);
      }
      send(packet) {
        this.sent.push(packet);
        world.later(() => { if (this.readyState === 1) world.frame(this, packet); });
      }
      close() {
        if (this.readyState < 2) this.readyState = 3;
      }
      /** From the network: a message, or the end. */
      say(data) { world.later(() => { if (this.readyState === 1 && this.onmessage) this.onmessage({ data }); }); }
      die(code = 1006) {
        if (this.readyState > 2) return;
        this.readyState = 3;
        this.onerror?.({});
        this.onclose?.({ code });
      }
    };
  }

  accept(socket) {
    const mode = this.modes.websocket ?? 'up';
    if (mode === 'silent' || socket.readyState === 3) return;
    if (mode === 'refuse') return socket.die();
    socket.readyState = 1;
    socket.onopen?.({});
    // Frames are eaten both ways, or one way.
    if (mode === 'mute') return;
    const sid = socket.query.get('sid'), rival = !sid && this.races.get(socket.query.get('aw'));
    socket.session = sid ? this.sessions.get(sid) : rival || new Session(this);
    if (!socket.session) return socket.die(1005);
    if (rival) {
      socket.say(rival.said[0]);
    } else if (!sid) {
      this.carry(socket);
      this.greet(socket.session, socket.query.get('aw'));
      socket.session.flush();
    }
  }

  carry(socket) {
    socket.session.carrier = { socket, take: (packets) => {
      if (socket.readyState !== 1) return false;
      packets.forEach((packet) => socket.say(packet));
      return true;
    } };
  }

  frame(socket, packet) {
    if (['deaf', 'mute'].includes(this.modes.websocket)) return;
    if (packet === '2probe') {
      socket.say('3probe');
      socket.session.say('6');
      // Another poll may have begun before the answer to the probe was there.
      this.later(() => socket.session.say('6'), 100);
    } else if (packet === '5') {
      this.carry(socket);
      socket.session.flush();
    } else if (!this.races.size) {
      // From the loser of a race nothing is taken any more.
      if (socket.session.carrier?.socket === socket) socket.session.hear(packet);
    } else {
      if (!/^4[01]/.test(packet)) this.decide(socket.session);
      if (!socket.session.spoke && socket.session.carrier instanceof Poll) {
        this.carry(socket);
        socket.session.said.slice(1).forEach((said) => socket.say(said));
      }
      socket.session.spoke = true;
      socket.session.bring(socket, packet);
    }
  }

  fileReader() {
    const world = this;
    return class FileReader {
      readAsArrayBuffer(blob) { blob.arrayBuffer().then((buffer) => { this.result = buffer; world.read = true; this.onload(); }); }
    };
  }
}
