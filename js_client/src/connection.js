/*
 * The connection: one Engine.IO session, over whichever transport carries it now.
 *
 * Opening is a race with a head start: the first transport is tried, and when it has not brought the server's handshake
 * within its head start, or has failed, the next one is tried beside it. The first that brings the handshake carries the
 * session, the others are closed. Later the session moves on to a WebSocket, if one can be had.
 */

// state -> the states that may follow. What is not in here does not happen, so late callbacks need no flags of their own.
var MOVES = {
  opening: /open|closed/,
  open: /upgrading|closed/,  // upgrading: the old transport is being emptied, nothing is written
  upgrading: /open|closed/,
  closed: /^$/
};

// Milliseconds until a probe that got no answer is given up (engine.io's upgradeTimeout).
var UPGRADE_TIMEOUT = 10000, requestCount = 0;

/**
 * target: where to, see parseTarget. opts: those of Manager. first: the name of the transport to begin with, because it
 * worked the last time. Events: open(), message(data), upgrade(transport), ping(), close(reason, error).
 */
function connect(target, opts, first) {
  var names = first ? [first].concat(without(opts.transports, first)) : slice(opts.transports),
    buffer = [],  // packets that no transport has yet
    tried = [],   // transports that may still bring the handshake
    errors = [],  // why the others did not
    timer, patience, maxPayload, reading, stopProbe,
    self = extend({
      state: 'opening',

      /** Sends a message: a string, an ArrayBuffer, a typed array or a Blob. */
      send: function (message) {
        write(typeof message == 'string' ? '4' + message : message);
      },

      /** Whether a message given now would go out now. */
      idle: function () {
        return self.state == 'open' && !buffer.length && self.transport.idle();
      },

      /** Ends the session; what was sent still goes out. */
      close: function (reason, detail) {
        if (stopProbe) { stopProbe(); }
        if (!move('closed')) { return; }
        clearTimeout(timer);
        if (self.transport) {
          tried = [self.transport];
          trace(self.transport.name, '!', reason || 'closed');
        }
        silenceAll();
        self._fire('close', [reason || 'forced close', new Error(detail || reason || 'closed')]);
      }
    }, Emitter);

  /** Enters a state if the table allows it from the present one; says whether it did. */
  function move(state) {
    var may = MOVES[self.state].test(state);
    if (may) { self.state = state; }
    return may;
  }

  /** direction: '<' in, '>' out, '=' a transport starts, '!' it ends. */
  function trace(name, direction, data) {
    if (opts.trace) {
      callAll([opts.trace], opts, [direction, name, typeof data == 'string' ? data : '[binary ' + (data.byteLength || data.size || 0) + ']']);
    }
  }

  /** What a transport may know: where to go, as which session, and whom to tell the bytes. */
  function newRoute(name) {
    return extend({
      withCredentials: opts.withCredentials,
      params: { EIO: 4, transport: name },
      sid: self.id,
      maxPayload: Infinity,
      trace: function (direction, data) { trace(name, direction, data); },

      /** The URL of the next request; `t` keeps caches out. */
      url: function () {
        var params = extend(extend({}, opts.query), this.params), key, url = target.origin + opts.path + '?' + target.query;
        params.t = (+new Date()).toString(36) + requestCount++;
        if (this.sid) { params.sid = this.sid; }
        for (key in params) {
          if (hasOwn.call(params, key)) { url += '&' + encodeURIComponent(key) + '=' + encodeURIComponent(params[key]); }
        }
        return url.replace('?&', '?');
      }
    }, target);
  }

  /** A transport of that name on its way to the server, or nothing if it cannot work here. */
  function start(name) {
    var route = newRoute(name), kind = hasOwn.call(TRANSPORTS, name) && TRANSPORTS[name], transport;
    try {
      if (kind && kind.usable(route)) {
        transport = kind.open(route);
        transport.name = name;
        transport.route = route;
        trace(name, '=', route.url());
      }
    } catch (error) {
      trace(name, '!', error.message);  // e.g. ws: from an https: page
    }
    return transport;
  }

  /** Tries the next transport, beside those that are still being tried. */
  function next() {
    var name, transport;
    clearTimeout(timer);
    while (self.state == 'opening' && !transport && names.length) {
      name = names.shift();
      transport = start(name);
      if (!transport) { errors.push(name + ': not possible here'); }
    }
    if (transport) {
      attempt(transport);
    } else if (!tried.length) {
      self.close('transport error', errors.join('; '));
    }
  }

  function attempt(transport) {
    function failed(event) {
      trace(transport.name, '!', event.reason);
      silence(transport);
      tried = without(tried, transport);
      errors.push(transport.name + ': ' + event.reason);
      if (!tried.length) { next(); }
    }

    tried.push(transport);
    transport.onclose = failed;
    transport.onmessage = function (event) {
      var handshake;
      try {
        handshake = /^0\{/.test(event.data) && parseJson(event.data.slice(1));
      } catch (ignore) { /* e.g. the log-in page of a hotel */ }
      if (handshake && handshake.sid) {
        opened(transport, handshake);
      } else {
        failed({ reason: 'no handshake' });
      }
    };
    timer = setTimeout(next, opts.fallbackDelay);
  }

  function opened(transport, handshake) {
    tried = without(tried, transport);
    silenceAll();
    move('open');
    self.id = handshake.sid;
    patience = handshake.pingInterval + handshake.pingTimeout || 45000;
    maxPayload = handshake.maxPayload || Infinity;
    carry(transport);
    alive();
    self._fire('open');
    flush();
    if (opts.upgrade && transport.pause && /websocket/.test(handshake.upgrades) && /websocket/.test(opts.transports)) { probe('websocket'); }
  }

  /** Makes transport the one that carries the session. */
  function carry(transport) {
    self.transport = transport;
    transport.route.sid = self.id;
    transport.route.maxPayload = maxPayload;
    transport.onmessage = function (event) { receive(event.data); };
    transport.onclose = function (event) { self.close('transport close', transport.name + ': ' + event.reason); };
  }

  function receive(packet) {
    var type = packet.charAt && packet.charAt(0);
    if (self.state == 'closed') { return; }
    alive();
    if (type == 'b') {
      try {
        packet = textToBinary(packet);
        type = undefined;
      } catch (notBase64) { /* then it is no packet at all */ }
    }
    if (type == '4' || type === undefined) {
      self._fire('message', [type ? packet.slice(1) : packet]);
    } else if (type == '2') {
      write('3' + packet.slice(1));
      self._fire('ping');
    } else if (type == '1') {
      self.close('transport close', 'closed by the server');
    } else if (type != '6') {
      self.close('parse error');
    }
  }

  /** Something came: the server has its whole interval and timeout again. */
  function alive() {
    clearTimeout(timer);
    timer = setTimeout(function () { self.close('ping timeout'); }, patience);
  }

  function write(packet) {
    buffer.push(packet);
    flush();
  }

  function flush() {
    while (self.state == 'open' && buffer.length && !reading) {
      if (isBlob(buffer[0]) && !self.transport.binary) {
        readBlob();
      } else {
        self.transport.send(buffer.shift());
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
   * Moves the session to another transport (engine.io-protocol, "Upgrade"): 2probe and 3probe show that it carries both
   * ways; the old transport is emptied; 5 tells the server. Until the 5 the old one can go on as if nothing had been.
   */
  function probe(name) {
    var old = self.transport, fresh = self.state == 'open' && start(name), limit;

    function failed() {
      clearTimeout(limit);
      stopProbe = 0;
      silence(fresh);
      if (self.state == 'upgrading') {
        move('open');
        old.resume();
        flush();
      }
    }

    if (!fresh) { return; }
    stopProbe = fresh.onclose = failed;
    limit = setTimeout(failed, UPGRADE_TIMEOUT);
    fresh.onopen = function () { fresh.send('2probe'); };
    fresh.onmessage = function (event) {
      if (event.data != '3probe' || !move('upgrading')) { return failed(); }
      old.pause(function () {
        clearTimeout(limit);
        stopProbe = 0;
        carry(fresh);
        fresh.send('5');
        old.moved = true;
        silence(old);
        move('open');
        self._fire('upgrade', [fresh]);
        flush();
      });
    };
  }

  /** Closes a transport and hears no more of it. */
  function silence(transport) {
    transport.onopen = transport.onmessage = transport.onclose = null;
    transport.close();
  }

  function silenceAll() {
    for (var i = 0; i < tried.length; i++) { silence(tried[i]); }
    tried = [];
  }

  // Not at once: the owner has yet to listen.
  timer = setTimeout(next, 0);
  return self;
}
