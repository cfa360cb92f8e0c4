/*
 * The connection: one Engine.IO session, over whichever transport carries it now.
 *
 * Opening is a race with a head start: the first transport is tried, and when it has not brought the server's handshake
 * within its head start, or has failed, the next one is tried beside it. The first that brings the handshake carries the
 * session; the others are closed. But it is proven only when the server has answered what was sent over it: some proxies
 * open a WebSocket and swallow its frames. One that stays silent is overtaken by the next, which sends the same again;
 * nothing doubles by that, for before the first answer only requests to join namespaces are sent, and our server knows by a
 * token that a WebSocket and the first POST beside it are one session ("race").
 * Later the session moves on to a WebSocket, if one can be had.
 */

var OPENING = 0, OPEN = 1, UPGRADING = 2, CLOSED = 3,
  // state -> the states that may follow. What is not in here does not happen, so late callbacks need no flags of their own.
  // In UPGRADING the old transport is being emptied and nothing is written.
  MOVES = ['13', '23', '13', ''],
  // Milliseconds beyond the server's own patience, for what is already here.
  LATE = 1000;

/**
 * From how long a transport takes, as far as is known, how long to wait for it before another one is tried beside it; both in milliseconds.
 * A guess that is too low costs a request: both are one session.
 */
function headStart(ms) {
  return Math.min(30 + ms, 2000);
}

/** What nobody guesses; 1, which names no race, in a browser whose chance can be guessed. */
function secret() {
  try {
    var bytes = new global.Uint8Array(16);
    global.crypto.getRandomValues(bytes);  // which old WebKits do not return
    return slice(bytes).join('');
  } catch (old) {
    return 1;
  }
}

/**
 * target: where to, see parseTarget. opts: those of Manager. names: the transports, in the order in which to try them.
 * delay: the head start of the first, in milliseconds. upgrade: whether the session may move to a WebSocket.
 * The owner sets onopen(), _works(transport's name, ms) when it is proven, onmessage(data, whether that is base64), _pinged(), onclose(reason, error).
 * Event: upgrade(transport).
 */
function connect(target, opts, names, delay, upgrade) {
  var state = OPENING,
    buffer = [],   // packets that no transport has yet
    doubted = [],  // those that a transport has, until it is proven; then null
    tried = [],    // transports that may still bring the handshake
    errors = [],   // the others, each 'name: why it failed'
    server,        // its handshake
    race = secret(),  // by it our server knows that what comes two ways is one session
    hedge, heart, reading,
    late,          // the one that carries, if it should have been proven by now

    self = emitter({
      /** Sends a message: a string, an ArrayBuffer, a typed array or a Blob. */
      send: function (message) {
        write(message.charAt ? '4' + message : message);
      },

      /** Whether a message given now would go out now. */
      _idle: function () {
        return state == OPEN && !buffer.length && self.transport && self.transport._idle();
      },

      /** Ends the session; what was sent still goes out. */
      close: function (reason, detail) {
        if (!move(CLOSED)) { return; }
        clearTimeout(hedge);
        clearTimeout(heart);
        if (self.transport) {
          trace(self.transport, '!', reason);
          // What waits for the end of an upgrade; behind a Blob that is being read nothing can go out.
          if (!reading) { eachOf(buffer, self.transport.send); }
          tried.push(self.transport);
        }
        silenceAll();
        self.onclose(reason, new Error(detail || reason));
      }
    });

  /** Enters a state if the table allows it from the present one; says whether it did. */
  function move(next) {
    return MOVES[state].match(next) && (state = next);
  }

  /** direction: '<' in, '>' out (data is a packet), '=' a transport (or its route) starts or carries, '!' it ends. */
  function trace(transport, direction, data) {
    if (opts.debug) { guarded(opts.debug, opts, [direction, transport.name, data]); }
  }

  /**
   * What a transport may know: where to go, and as which session: a new one, as long as it is not sure that the present one has a way.
   * `_first` are the packets that wait for a proven transport. One that has begun with them says so in `_taken`: the server has them.
   */
  function newRoute(name) {
    return {
      name: name,
      _opts: opts,
      _cross: target._cross,
      _params: { EIO: 4, aw: race, transport: name, sid: doubted ? undefined : self.id },
      _first: doubted && doubted.concat(buffer),

      /** The URL of the next request; `t` keeps caches out. */
      _url: function () {
        var url = target._origin + opts.path + '?t=' + now().toString(36) + count++ + target._query;
        each(extend(extend({}, opts.query), this._params), function (key, value) {
          url += '&' + encodeURIComponent(key) + '=' + encodeURIComponent(value);
        });
        return url;
      }
    };
  }

  /** A transport of that name on its way to the server, or nothing if it cannot work here. */
  function start(name) {
    var route = newRoute(name);
    trace(route, '=', route._url());
    try {
      return extend(TRANSPORTS[name](route), { name: name, _route: route, _began: now() });
    } catch (error) {
      // There is none, or it may not, e.g. ws: from an https: page.
      note(route, 'impossible, ' + error.message);
    }
  }

  /** A transport (or a route) is of no use, or no more. */
  function note(transport, why) {
    trace(transport, '!', why);
    errors.push(transport.name + ': ' + why);
  }

  function give(transport, packet) {
    trace(transport, '>', packet);
    transport.send(packet);
  }

  function hear(transport, take) {
    transport.onmessage = function (event) {
      trace(transport, '<', event.data);
      take(event.data);
    };
  }

  /** Tries the next transport, beside those that are still being tried. */
  function next() {
    var transport;
    clearTimeout(hedge);
    late = self.transport;
    if (late) {
      // Nothing came back yet. That is no error, which would forbid an upgrade: it may only be slow.
      // A CONNECT to a namespace that nobody has is refused at once, however long the page's own takes.
      trace(late, '!', 'no answer');
      write('40/!,');
      delay += 900;  // for the one that is tried now
    }
    while (!transport && names.length) { transport = start(names.shift()); }
    if (transport) {
      tried.push(transport);
      watch(transport);
      hear(transport, function (packet) {
        var handshake;
        try {
          handshake = json.parse(packet.slice(1));
        } catch (ignore) { /* e.g. the log-in page of a hotel */ }
        if (handshake && handshake.sid) {
          opened(transport, handshake);
        } else {
          fail(transport, 'no handshake');
        }
      });
      // Each waits much longer than the one before: on a slow way, or at a server that is busy, they would all be on it.
      hedge = setTimeout(next, delay);
      delay += 900;
    } else if (!tried.length && !self.transport) {
      self.close('transport error', errors.join('; '));
    }
  }

  /** Waits for a transport's end. */
  function watch(transport) {
    transport.onclose = function (event) {
      var why = event.reason || 'closed ' + event.code;
      if (doubted) {
        fail(transport, why);
      } else {
        self.close('transport ' + (event.code ? 'close' : 'error'), why);
      }
    };
  }

  /** A transport has failed before it was proven. */
  function fail(transport, why) {
    var newest = tried[tried.length - 1];
    note(transport, why);
    tried = without(tried, transport);
    silence(transport);
    if (self.transport === transport) { self.transport = newest = null; }
    if (!newest || newest === transport) { next(); }
  }

  function opened(transport, handshake) {
    var overtaken = self.transport, taken = transport._route._taken;
    tried = without(tried, transport);
    // Another may carry only if it is proven already, or this one is not in time; until then it waits for its turn.
    if (overtaken && overtaken !== late && !taken) {
      names.unshift(transport.name);
      transport._route._params.sid = handshake.sid;
      return silence(transport);
    }
    server = handshake;
    self.id = server.sid;
    buffer = doubted.concat(buffer).slice(taken ? taken.length : 0);
    doubted = [];
    delay = headStart(now() - transport._began);
    carry(transport);
    // A goodbye would wait for what is not answered.
    if (overtaken) { desert(overtaken); }
    clearTimeout(hedge);
    alive();
    if (move(OPEN)) { self.onopen(); }
    if (taken) {
      trace(transport, '>', taken.join());
      prove();
    }
    flush();
  }

  /** Makes transport the one that carries the session. */
  function carry(transport) {
    self.transport = transport;
    transport._route._params.sid = self.id;
    transport._route._maxPayload = server.maxPayload;
    hear(transport, receive);
    transport.onopen = prove;
    trace(transport, '=', 'carries');
  }

  /** The server has answered: the transport works both ways. */
  function prove() {
    if (!doubted) { return; }
    doubted = null;
    clearTimeout(hedge);
    silenceAll();
    works();
    if (upgrade && self.transport._pause && /websocket/.test(server.upgrades) && !/websocket/.test(errors)) { probe(); }
  }

  function works() {
    self._works(self.transport.name, now() - self.transport._began);
  }

  function receive(packet) {
    var type = packet.charAt && packet.charAt(0);
    alive();
    prove();
    if (!type || /[4b]/.test(type)) {
      self.onmessage(type ? packet.slice(1) : packet, type == 'b');
    } else if (type == 2) {
      write('3');
      self._pinged();
    } else if (type == 1) {
      self.close('transport close');
    } else if (type != 6) {
      self.close('parse error');
    }
  }

  /** Something came: the server has its whole interval and timeout again. */
  function alive() {
    clearTimeout(heart);
    heart = setTimeout(function () {
      // After sleep the timers come first, and what the network has brought meanwhile after them.
      heart = setTimeout(function () { self.close('ping timeout'); }, LATE);
    }, server.pingInterval + server.pingTimeout);
  }

  function write(packet) {
    buffer.push(packet);
    flush();
  }

  function flush() {
    while (state == OPEN && buffer.length && !reading && self.transport) {
      if (buffer[0].size >= 0 && !self.transport._binary) {
        readBlob();
      } else {
        if (doubted && doubted.push(buffer[0]) == 1) { hedge = setTimeout(next, delay); }
        give(self.transport, buffer.shift());
      }
    }
  }

  /** Turns the first packet from a Blob into an ArrayBuffer; the others wait, for the order. */
  function readBlob() {
    reading = new global.FileReader();
    reading.onload = function () {
      buffer[0] = reading.result;
      reading = 0;
      flush();
    };
    reading.readAsArrayBuffer(buffer[0]);
  }

  /**
   * Moves the session to a WebSocket (engine.io-protocol, "Upgrade"): 2probe and 3probe show that it carries both
   * ways; the old transport is emptied; 5 tells the server. Until the 3probe the old one goes on as if nothing had been.
   */
  function probe() {
    var old = self.transport, fresh = start('websocket');

    if (!fresh) { return; }
    tried.push(fresh);
    fresh.onclose = function () {
      trace(fresh, '!', 'no upgrade');
      silenceAll();
      if (state == UPGRADING) { self.close('transport error'); }
    };
    fresh.onopen = function () { give(fresh, '2probe'); };
    hear(fresh, function (packet) {
      if (packet != '3probe' || !move(UPGRADING)) { return fresh.onclose(); }
      old._pause(function () {
        tried = [];
        carry(fresh);
        watch(fresh);
        give(fresh, '5');
        desert(old);
        move(OPEN);
        works();
        self.$emit('upgrade', fresh);
        flush();
      });
    });
  }

  /** Closes a transport and hears no more of it. */
  function silence(transport) {
    transport.onopen = transport.onmessage = transport.onclose = noop;
    transport.close();
  }

  /** The same, and its end is not the session's. */
  function desert(transport) {
    transport._route._params.sid = undefined;
    silence(transport);
  }

  function silenceAll() {
    eachOf(tried, function (transport) {
      silence(transport);
      // Those that were slower come after the one that carries, should it prove to be deaf.
      names.push(transport.name);
    });
    tried = [];
  }

  // Not at once: the owner has yet to listen.
  hedge = setTimeout(next, 0);
  if (opts.timeout) { heart = setTimeout(function () { self.close('timeout'); }, opts.timeout); }
  return self;
}
