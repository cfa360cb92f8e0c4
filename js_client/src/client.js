/*
 * Manager: a connection that comes back. Socket: one namespace on it.
 */

var DEFAULTS = {
    path: '/socket.io/',
    transports: ['websocket', 'polling', 'htmlfile', 'jsonp'],
    upgrade: true,
    fallbackDelay: 3000,
    timeout: 20000,
    autoConnect: true,
    reconnection: true,
    reconnectionAttempts: Infinity,
    reconnectionDelay: 1000,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.5
  },
  managers = {},
  sleepers = [];  // the attempts to reconnect that wait for their time

// The network is back: no need to wait.
listen(global, 'online', function () { callAll(sleepers); });

/**
 * Where an address points: {origin, cross, sameScheme, path, query}. What it leaves out comes from the page.
 * "//host", "/namespace" and "host:port" are understood, and ws: stands for http:.
 */
function parseTarget(url) {
  var page = global.location || {},
    scheme = page.protocol == 'https:' ? 'https://' : 'http://',
    here = scheme + (page.host || 'localhost'),
    parts, origin;

  url = (url || '/').replace(/^(?=\/(?!\/))/, here).replace(/^(?:\/\/)?(?!\w+:\/\/)/, scheme);
  parts = /^(?:http|ws)(s?:\/\/[^\/?#]+)([^?#]*)\??([^#]*)/i.exec(url);
  if (!parts) { throw new Error('not a web address: ' + url); }
  origin = ('http' + parts[1]).toLowerCase();
  return {
    origin: origin,
    cross: origin != here,
    sameScheme: !origin.search(page.protocol),
    path: parts[2] || '/',
    query: parts[3]
  };
}

/**
 * Manager events: open, close(reason, error), error(error), ping, reconnect_attempt(n), reconnect_error(error),
 * reconnect_failed, reconnect(n).
 */
function Manager(url, options) {
  var self = extend(this, Emitter), opts, target, engine, wanted, timer, works, attempts = 0;

  if (url && typeof url == 'object') { options = url; url = ''; }
  self.opts = opts = extend(extend({}, DEFAULTS), options);
  opts.path = opts.path.replace(/\/*$/, '/');
  target = parseTarget(url);
  self.nsps = {};
  self.state = 'closed';  // or 'opening' or 'open'

  /** Opens the connection unless it is open or about to be; done(error) when that is decided. */
  self.open = self.connect = function (done) {
    var reader = packetReader(), limit;
    wanted = true;
    if (self.state != 'closed') { return self; }
    wake();
    self.state = 'opening';
    engine = self.engine = connect(target, opts, works);

    engine.on('open', function () {
      clearTimeout(limit);
      self.state = 'open';
      works = engine.transport.name;
      self._fire('open');
      each(function (socket) { socket._join(); });
      if (done) { done(); }
    }).on('upgrade', function (transport) {
      works = transport.name;
    }).on('ping', function () {
      self._fire('ping');
    }).on('message', function (message) {
      deliver(reader, message);
    }).on('close', function (reason, error) {
      var opened = self.state == 'open';
      clearTimeout(limit);
      self.state = 'closed';
      if (opened) {
        self._fire('close', [reason, error]);
        each(function (socket) { socket._closed(reason, error); });
      } else {
        works = '';
        if (wanted) {
          self._fire('error', [error]);
          each(function (socket) { socket._fire('connect_error', [error]); });
        }
        if (done) { done(error); }
      }
      again();
    });
    if (opts.timeout) {
      limit = setTimeout(function () { engine.close('timeout'); }, opts.timeout);
    }
    return self;
  };

  function deliver(reader, message) {
    var packet;
    try {
      packet = reader(message);
    } catch (error) { engine.close('parse error', error.message); }
    if (packet && hasOwn.call(self.nsps, packet.nsp)) { self.nsps[packet.nsp]._packet(packet); }
  }

  /** Calls fn with every socket that wants to be connected. */
  function each(fn) {
    for (var nsp in self.nsps) {
      if (self.nsps[nsp].active) { fn(self.nsps[nsp]); }
    }
  }

  /** Ends the wait for the next attempt. */
  function wake() {
    clearTimeout(timer);
    timer = 0;
    sleepers = without(sleepers, retry);
  }

  /** Waits for the next attempt. */
  function again() {
    if (timer || !wanted || !opts.reconnection || self.state != 'closed') { return; }
    if (attempts < opts.reconnectionAttempts) {
      timer = setTimeout(retry, backoff(attempts, opts.reconnectionDelay, opts.reconnectionDelayMax, opts.randomizationFactor, Math.random()));
      sleepers.push(retry);
    } else {
      attempts = 0;
      self._fire('reconnect_failed');
    }
  }

  function retry() {
    var number = ++attempts;
    wake();
    self._fire('reconnect_attempt', [number]);
    if (wanted) {
      self.open(function (error) {
        if (!error) {
          attempts = 0;
          self._fire('reconnect', [number]);
        } else if (wanted) {
          self._fire('reconnect_error', [error]);
        }
      });
    }
  }

  /** Whether the next attempt has its time already. */
  self._waits = function () { return timer; };

  /** The Socket of a namespace; the same one each time. */
  self.socket = function (nsp, options) {
    if (!hasOwn.call(self.nsps, nsp)) { self.nsps[nsp] = new Socket(self, nsp, options || opts); }
    return self.nsps[nsp];
  };

  /** Uses only these transports from now on (a name or a list), and reconnects with them at once. */
  self.setTransport = function (names) {
    opts.transports = [].concat(names);
    works = '';
    if (wanted) {
      wanted = false;
      if (engine) { engine.close('transport change'); }
      wanted = true;
      retry();
    }
    return self;
  };

  /** Closes the connection of all sockets, and does not come back by itself. */
  self.close = self.disconnect = function () {
    wanted = false;
    wake();
    if (engine) { engine.close(); }
    return self;
  };

  if (opts.autoConnect) { self.open(); }
}

/** Events: connect(), disconnect(reason, error), connect_error(error with message and data), and those of the server. */
function Socket(manager, nsp, opts) {
  var self = extend(this, Emitter),
    acks = {}, ackCount = 0,
    outgoing = [],  // messages of events that wait for the namespace
    incoming = [],  // events that the server sent before its answer to CONNECT (those missed, when it recovers a session)
    watchers = [],
    pid, offset;

  self.io = manager;
  self.nsp = nsp;
  self.auth = opts.auth;
  self.active = self.recovered = false;
  connected(false);

  function connected(yes) {
    self.connected = yes;
    self.disconnected = !yes;
  }

  /** An object that inherits everything from this socket, live, but has flags of its own. */
  function flagged(flags) {
    function Flagged() {}
    Flagged.prototype = self;
    return extend(new Flagged(), flags);
  }

  function send(messages) {
    for (var i = 0; i < messages.length; i++) { manager.engine.send(messages[i]); }
  }

  self.open = self.connect = function () {
    if (!self.active) {
      self.active = true;
      if (manager.state == 'open') {
        self._join();
      } else if (!manager._waits()) {
        manager.open();
      }
    }
    return self;
  };

  /** Asks for the namespace, as who `auth` says: an object, or a function that is given a callback for one. */
  self._join = function () {
    var engine = manager.engine;

    function join(data) {
      // An answer that comes late must not join on the next connection, which asks again.
      if (engine === manager.engine && manager.state == 'open' && self.active) {
        send(encodePacket(CONNECT, nsp, undefined, pid ? extend({ pid: pid, offset: offset }, data) : data || undefined));
      }
    }

    if (typeof self.auth == 'function') {
      callAll([self.auth], self, [join]);
    } else {
      join(self.auth);
    }
  };

  /** Sends an event; a function as last argument is called with the server's answer. What cannot be JSON throws. */
  self.emit = function (name) {
    var flags = this, args = slice(arguments), ack = typeof args[args.length - 1] == 'function' && args.pop(),
      id = ack ? ackCount++ : undefined, messages;
    if (RESERVED.test(name)) { throw new Error('"' + name + '" is a reserved event name'); }
    messages = encodePacket(EVENT, nsp, id, args);
    if (ack) { acks[id] = flags._timeout === undefined ? ack : timed(id, ack, messages, flags._timeout); }
    if (self.connected) {
      if (!flags._volatile || manager.engine.idle()) { send(messages); }
    } else if (!flags._volatile) {
      outgoing.push(messages);
    }
    return self;
  };

  self.send = function () {
    return self.emit.apply(this, ['message'].concat(slice(arguments)));
  };

  /** ack in node's style: (error) after ms or a disconnect, else (null, answer...). */
  function timed(id, ack, messages, ms) {
    var timer = setTimeout(function () {
      outgoing = without(outgoing, messages);
      answer._fail(new Error('operation has timed out'));
    }, ms);

    function answer() {
      clearTimeout(timer);
      ack.apply(self, [null].concat(slice(arguments)));
    }

    answer._fail = function (error) {
      clearTimeout(timer);
      delete acks[id];
      callAll([ack], self, [error]);
    };
    return answer;
  }

  /** socket.timeout(ms).emit(name, ..., function (error, answer) {}) */
  self.timeout = function (ms) { return flagged({ _timeout: ms }); };

  /** socket.volatile.emit(...): lost, not kept, unless it can go at once. Quoted, for the word is reserved in ES3. */
  self['volatile'] = flagged({ _volatile: true });

  /** A Promise of the answer, in browsers that have it. */
  self.emitWithAck = function () {
    var flags = this, args = slice(arguments);
    return new global.Promise(function (resolve, reject) {
      args.push(flags._timeout === undefined ? resolve : function (error, answer) {
        if (error) { reject(error); } else { resolve(answer); }
      });
      self.emit.apply(flags, args);
    });
  };

  /** listener(name, args...) for every event of the server. */
  self.onAny = function (listener) {
    watchers.push(listener);
    return self;
  };

  self.offAny = function (listener) {
    watchers = without(watchers, listener);
    return self;
  };

  self._packet = function (packet) {
    var type = packet.type, data = packet.data, ack, error;
    if (!self.active) { return; }
    if (type == EVENT) {
      if (packet.id !== undefined) { data.push(answerer(packet.id)); }
      if (self.connected) { event(data); } else { incoming.push(data); }
    } else if (type == ACK) {
      ack = acks[packet.id];
      delete acks[packet.id];
      if (ack) { callAll([ack], self, data); }
    } else if (type == DISCONNECT) {
      leave('io server disconnect');
    } else if (type == CONNECT && data && data.sid) {
      joined(data);
    } else {
      data = data || 'no sid: the server speaks Socket.IO 2';
      error = new Error(data.message || data);
      error.data = data.data;
      leave();
      self._fire('connect_error', [error]);
    }
  };

  /** The function that answers the server's event of that id, once. */
  function answerer(id) {
    return function () {
      if (id !== undefined && self.connected) { send(encodePacket(ACK, nsp, id, slice(arguments))); }
      id = undefined;
    };
  }

  function event(args) {
    var last = args[args.length - 1];
    callAll(watchers, self, args);
    self._fire(args[0], args.slice(1));
    if (pid && typeof last == 'string') { offset = last; }
  }

  function joined(data) {
    var missed = incoming, waiting = outgoing, i;
    self.id = data.sid;
    self.recovered = !!data.pid && pid === data.pid;
    pid = data.pid;
    incoming = [];
    outgoing = [];
    connected(true);
    for (i = 0; i < missed.length; i++) { event(missed[i]); }
    for (i = 0; i < waiting.length; i++) { send(waiting[i]); }
    self._fire('connect');
  }

  /** The connection is gone; what was sent and not answered will not be. */
  self._closed = function (reason, error) {
    var lost = acks, id;
    if (!self.connected) { return; }
    connected(false);
    self.id = undefined;
    acks = {};
    for (id in lost) {
      if (lost[id]._fail) { lost[id]._fail(new Error('socket has been disconnected')); }
    }
    self._fire('disconnect', [reason, error]);
  };

  /** No longer wants to be connected; the last socket takes the connection with it. */
  function leave(reason) {
    var others = 0, key;
    self.active = false;
    incoming = [];
    for (key in manager.nsps) { others += manager.nsps[key].active; }
    if (!others) { manager.close(); }
    if (reason) { self._closed(reason); }
  }

  /** Leaves the namespace. */
  self.close = self.disconnect = function () {
    if (self.connected) { send(encodePacket(DISCONNECT, nsp)); }
    if (self.active) { leave('io client disconnect'); }
    return self;
  };
}

/**
 * The Socket of the namespace that url's path names ("https://host/chat?token=1" -> "/chat"), connecting unless
 * opts.autoConnect is false. Namespaces of one server share a connection, except with opts.forceNew or multiplex: false.
 */
function io(url, opts) {
  var target, key, manager, socket;
  if (url && typeof url == 'object') { opts = url; url = ''; }
  opts = opts || {};
  target = parseTarget(url);
  key = target.origin + (opts.path || '');
  manager = managers[key];
  if (opts.forceNew || opts.multiplex === false || !manager || hasOwn.call(manager.nsps, target.path)) {
    manager = new Manager(url, extend(extend({}, opts), { autoConnect: false }));
    managers[key] = managers[key] || manager;
  }
  socket = manager.socket(target.path, opts);
  if (opts.autoConnect !== false) { socket.open(); }
  return socket;
}

extend(io, { io: io, connect: io, Manager: Manager, Socket: Socket, protocol: 5 });
