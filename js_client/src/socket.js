/*
 * Socket: one namespace on a Manager's connection.
 */

/** Events: connect(), disconnect(reason, error), connect_error(error with message and data), and those of the server. */
function Socket(manager, nsp, opts) {
  var self = emitter(this),
    acks = {}, ackCount = 0,  // id -> function(error, answer's args), and how many there have been
    outgoing = [],  // messages of events that wait for the namespace
    incoming = [],  // events that the server sent before its answer to CONNECT (those missed, when it recovers a session)
    any = emitter({}),  // its event x is any event
    pid, offset;

  self.io = manager;
  self.json = self;  // 0.9's, as `socket` below
  self.of = manager.socket;
  self.nsp = nsp;
  self.auth = opts.auth;
  self.active = self.recovered = false;
  connected(false);

  function connected(yes) {
    self.connected = yes;
    self.disconnected = !yes;
  }

  function send(messages) {
    eachOf(messages, manager.engine.send);
  }

  /** An object that inherits everything from base, live, but has flags of its own. */
  function flagged(base, flags) {
    function Flagged() {}
    Flagged.prototype = base;
    return extend(new Flagged(), flags);
  }

  self.open = self.connect = function () {
    var engine = self.active || manager.engine;
    self.active = true;
    manager.open();
    // Who was active has asked, and a new connection has asked all sockets already.
    if (engine === manager.engine) { self._join(); }
    return self;
  };

  // 0.9's Manager, whose connect() joins: its sockets have none.
  self.socket = flagged(manager, { reconnect: self.open, connect: self.open });

  /** Asks for the namespace, as who `auth` says: an object, or a function that is given a callback for one. */
  self._join = function () {
    var engine = manager.engine;

    function join(data) {
      // An answer that comes late must not join on the next connection, which asks again.
      if (engine === manager.engine && self.active) {
        send(encodePacket(CONNECT, nsp, '', pid ? extend({ pid: pid, offset: offset }, data) : data || undefined));
      }
    }

    if ((self.auth || 0).call) {
      guarded(self.auth, self, [join]);
    } else {
      join(self.auth);
    }
  };

  /** Sends an event; a function as last argument is called with the server's answer. What cannot be JSON throws. */
  self.emit = function (name) {
    var flags = this, args = slice(arguments), ack = typeof args[args.length - 1] == 'function' && args.pop(),
      id = ack ? ackCount++ : '', messages;
    if (RESERVED.test(name)) { throw new Error('"' + name + '" is a reserved event name'); }
    messages = encodePacket(EVENT, nsp, id, args);
    messages._ack = id;
    if (ack) { expect(id, messages, ack, flags); }
    if (self.connected) {
      if (!flags._volatile || manager.engine._idle()) { send(messages); }
    } else if (!flags._volatile && outgoing.push(messages) > manager.opts.maxBuffer) {
      (acks[outgoing.shift()._ack] || noop)(new Error('buffer is full'));
    }
    return self;
  };

  self.send = function () {
    return self.emit.apply(this, ['message'].concat(slice(arguments)));
  };

  /** Waits for an event's answer, at most for a timeout. With _node the ack is told first what went wrong, or null. */
  function expect(id, messages, ack, flags) {
    var timer = flags._timeout >= 0 && setTimeout(function () { settle(new Error('operation has timed out')); }, flags._timeout);

    function settle(error, answer) {
      clearTimeout(timer);
      delete acks[id];
      outgoing = without(outgoing, messages);
      if (flags._node) { answer = [error].concat(answer || []); }
      if (answer) { guarded(ack, self, answer); }
    }

    acks[id] = settle;
  }

  /** socket.timeout(ms).emit(name, ..., function (error, answer) {}) */
  self.timeout = function (ms) {
    var timed = flagged(this, { _node: true, _timeout: ms });
    timed['volatile'] = flagged(timed, { _volatile: true });
    return timed;
  };

  /** socket.volatile.emit(...): lost, not kept, unless it can go at once. Quoted, for the word is reserved in ES3. */
  self['volatile'] = flagged(self, { _volatile: true });

  /** Whether to compress is the server's choice. */
  self.compress = function () { return this; };

  /** A Promise of the answer, in browsers that have it. */
  self.emitWithAck = function () {
    var flags = flagged(this, { _node: true }), args = slice(arguments);
    return new global.Promise(function (resolve, reject) {
      self.emit.apply(flags, args.concat(function (error, answer) {
        if (error) { reject(error); } else { resolve(answer); }
      }));
    });
  };

  /** The connection is gone, and with it the answers that are due; or it could not be had. */
  self._closed = function (reason, error) {
    var lost = acks;
    if (self.connected) {
      connected(false);
      self.id = undefined;
      acks = {};
      each(lost, function (id, ack) { ack(new Error('socket has been disconnected')); });
      self.$emit('disconnect', reason, error);
    } else {
      failed(error);
    }
  };

  /** listener(name, args...) for every event of the server. */
  self.onAny = function (listener) {
    any.on('x', listener);
    return self;
  };

  self.offAny = function (listener) {
    any.off('x', listener);
    return self;
  };

  self._packet = function (packet) {
    var type = packet._type, data = packet._data, id = packet._id, error;

    /** Answers the server's event, once. */
    function answer() {
      if (id >= 0 && self.connected) { send(encodePacket(ACK, nsp, id, slice(arguments))); }
      id = -1;
    }

    if (!self.active) { return; }
    if (type == EVENT) {
      if (id >= 0) { data.push(answer); }
      if (self.connected) { event(data); } else { incoming.push(data); }
    } else if (type == ACK) {
      (acks[id] || noop)(null, data);
    } else if (type == DISCONNECT) {
      leave('io server disconnect');
    } else if (type == CONNECT && data.sid) {
      joined(data);
    } else {
      data = data || 'Socket.IO 2';
      error = new Error(data.message || data);
      error.data = data.data;
      leave();
      failed(error);
      self.$emit('error', error.message);
    }
  };

  function event(args) {
    var last = args[args.length - 1];
    any.$emit.apply(self, ['x'].concat(args));
    self.$emit.apply(self, args);
    if (pid && typeof last == 'string') { offset = last; }
  }

  function joined(data) {
    var missed = incoming, waiting = outgoing;
    self.id = data.sid;
    self.recovered = !!pid && pid === data.pid;
    pid = data.pid;
    incoming = [];
    outgoing = [];
    connected(true);
    eachOf(missed, event);
    eachOf(waiting, send);
    self.$emit('connect');
  }

  function failed(error) {
    self.$emit('connect_error', error);
    self.$emit('connect_failed', error);  // 0.9's
  }

  /** No longer wants to be connected; the last socket takes the connection with it. */
  function leave(reason) {
    var others = 0;
    self.active = false;
    incoming = [];
    each(manager.nsps, function (key, socket) { others += socket.active; });
    if (!others) { manager.close(); }
    if (reason && self.connected) { self._closed(reason); }
  }

  /** Leaves the namespace. */
  self.close = self.disconnect = function () {
    if (self.active) {
      send(encodePacket(DISCONNECT, nsp, ''));
      leave('io client disconnect');
    }
    return self;
  };
}
