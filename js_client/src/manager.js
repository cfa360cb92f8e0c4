/*
 * Manager: a connection that comes back, with the transport that works.
 */

var DEFAULTS = {
    path: '/socket.io/',
    upgrade: true,
    remember: true,
    timeout: 20000,
    autoConnect: true,
    reconnection: true,
    reconnectionDelay: 1000,
    reconnectionDelayMax: 5000,
    randomizationFactor: 0.5,
    maxBuffer: 1000
  },
  // What Socket.IO 0.9 called the options.
  OLD_NAMES = {
    host: 'hostname',
    resource: 'path',
    'connect timeout': 'timeout',
    'auto connect': 'autoConnect',
    reconnect: 'reconnection',
    'max reconnection attempts': 'reconnectionAttempts',
    'reconnection delay': 'reconnectionDelay',
    'reconnection limit': 'reconnectionDelayMax',
    'force new connection': 'forceNew'
  },
  // A transport that three times in a row died within two minutes (in milliseconds) is tried last.
  SHORT_LIFE = 120000, MOST_DEATHS = 3,
  AT_ONCE = -9,  // doublings of a wait: of a second two milliseconds are left
  pages = emitter({}),  // its event x says what happens to the page
  leaving;       // whether the page is on its way out

/** The options under their names of today, over the defaults. */
function withDefaults(options) {
  var opts = extend(extend({}, DEFAULTS), options);
  each(OLD_NAMES, function (old, name) {
    if (opts[old] !== undefined) { opts[name] = opts[old]; }
  });
  // xhr-polling, jsonp-polling
  opts.transports = (opts.transports || io.transports).join().replace(/xhr-|-polling/g, '').split(',');
  opts.path = ('/' + opts.path + '/').replace(/\/+/g, '/');
  return opts;
}

/** Tells all managers what happens to the page. */
function onPage(event) {
  // Browsers tell of a page that goes that it is not looked at any more, after they have told that it goes.
  if (/pa|un/.test(event.type)) { leaving = event.type != 'pageshow'; }
  pages.$emit('x', event.type);
}

listen(global, 'online', onPage);
listen(global, 'offline', onPage);
listen(global, 'pageshow', onPage);
listen(doc || global, 'visibilitychange', onPage);  // a tab that slept is looked at
// A listener of unload would keep a page out of the cache that its "back" button reads.
listen(global, 'onpagehide' in global ? 'pagehide' : 'unload', onPage);

/**
 * Manager events: open, close(reason, error), error(error), ping, reconnect_attempt(n), reconnect_error(error),
 * reconnect_failed, reconnect(n).
 */
function Manager(url, options) {
  var self = emitter(this), opts, target, key, engine, timer, wanted, busy, works, shy, began,
    attempts = 0, deaths = 0;

  self.opts = opts = withDefaults(options);
  target = parseTarget(url, opts);
  if (typeof opts.query == 'string') {
    target._query += '&' + opts.query;
    opts.query = {};
  }
  key = ('anywire' + target._origin + opts.path).replace(/\W+/g, '_');
  works = opts.remember && recall(key) || [];  // [name, milliseconds] of the transport that worked the last time
  self.nsps = {};
  self.connected = false;

  /** Opens the connection unless it is open or about to be; done(error) when that is decided. */
  self.open = self.connect = function (done) {
    var reader = packetReader(), failed;
    done = done || noop;
    wanted = true;
    pages.off('x', hear).on('x', hear);
    if (timer) { retry(); }
    if (busy) { return self; }
    busy = true;
    engine = self.engine = connect(target, opts, slice(opts.transports).sort(byRank),
      opts.fallbackDelay || headStart(+works[1] || 0) + attempts * 125,
      opts.upgrade && shy != 'websocket' && /websocket/.test(opts.transports));

    engine.onopen = function () {
      began = now();
      self.connected = true;
      self.transport = engine.transport;  // these are 0.9's
      self.sessionid = engine.id;
      self.$emit('open');
      done();
    };

    engine._works = function (name, ms) {
      attempts = 0;
      works = [name, ms];
      if (opts.remember) { remember(key, works); }
    };

    engine._pinged = function () { self.$emit('ping'); };

    engine.onmessage = function (message, isBase64) {
      try {
        message = reader(isBase64 ? textToBinary(message) : message);
      } catch (error) {
        return engine.close('parse error', error.message);
      }
      if (message && self.nsps[message._nsp]) { self.nsps[message._nsp]._packet(message); }
    };

    engine.onclose = function (reason, error) {
      // A page that connects whenever it could not would try without a pause: for its listeners this attempt is still under way.
      failed = busy = wanted && opts.reconnection && !self.connected;
      if (self.connected) {
        self.connected = false;
        if (!isOffline()) { tally(reason); }
        self.$emit('close', reason, error);
        done = noop;
      } else {
        works = [];
        self.$emit('error', error);
      }
      tell(function (socket) { socket._closed(reason, error); });
      done(error);
      if (failed) { busy = false; }
      // After sleep, or when the way was gone for a while, each client is late by itself. And where somebody in between answers in the
      // server's place, attempts cost the server nothing: they begin with a quarter of the wait, and slowly become fewer.
      again(reason == 'ping timeout' ? AT_ONCE : /no h/.test(error.message) && !opts.reconnectionAttempts ? attempts / 4 - 2 : attempts);
    };

    // Said at once, for a transport may begin with it.
    tell(function (socket) { socket._join(); });
    return self;
  };

  /** Sorts the names of the transports: the one that worked to the front, the shy one to the back. (Engines sort so few stably.) */
  function byRank(a, b) {
    return 2 * (a == shy) - (a == works[0]) - 2 * (b == shy) + (b == works[0]);
  }

  /** Calls fn with every socket that is to be connected. */
  function tell(fn) {
    each(self.nsps, function (nsp, socket) {
      if (socket.active) { fn(socket); }
    });
  }

  /** An event that sockets had before Socket.IO 3. */
  function tellOld(name, a, b) {
    tell(function (socket) { socket.$emit(name, a, b); });
  }

  /** Takes note of a transport's death: one that keeps dying is tried last from now on, and not upgraded to. */
  function tally(reason) {
    deaths = /^[tp]/.test(reason) && now() - began < SHORT_LIFE ? deaths + 1 : 0;
    if (deaths >= MOST_DEATHS) {
      shy = works[0];
      deaths = 0;
      works = [];
    }
  }

  /** Ends the wait for the next attempt. */
  function wake() {
    clearTimeout(timer);
    timer = 0;
  }

  /** Whether attempts are of no use before the page hears otherwise. This machine itself is there without a network, too. */
  function isOffline() {
    return leaving || nav.onLine === false && !/\/\/(localhost|127)/.test(target._origin);
  }

  /** Waits for the next attempt: reconnectionDelay, doubled so many times. */
  function again(doublings) {
    var wait = backoff(doublings, opts, Math.random());
    if (timer || !wanted || !opts.reconnection || busy || isOffline()) { return; }
    if (attempts && attempts == opts.reconnectionAttempts) {
      wanted = attempts = 0;
      self.$emit('reconnect_failed');
      tellOld('reconnect_failed');
    } else {
      timer = setTimeout(retry, wait);
      tellOld('reconnecting', wait, attempts + 1);
    }
  }

  function retry() {
    var number = ++attempts;
    wake();
    self.$emit('reconnect_attempt', number);
    if (wanted) {
      self.open(function (error) {
        if (!error) {
          self.$emit('reconnect', number);
          tellOld('reconnect', self.transport.name, number);
        } else {
          self.$emit('reconnect_error', error);
        }
      });
    }
  }

  /** Hears of what happens to the page. */
  function hear(what) {
    wake();
    if (isOffline()) {
      engine.close('transport close', what);
    } else {
      again(AT_ONCE);
    }
  }

  /** The Socket of a namespace, the same one each time; connecting unless autoConnect is false. */
  self.socket = function (nsp, options) {
    var socket = self.nsps[nsp] = self.nsps[nsp] || new Socket(self, nsp, options || opts);
    return opts.autoConnect ? socket.open() : socket;
  };

  /** Closes the connection of all sockets, and does not come back by itself. */
  self.close = self.disconnect = function () {
    wanted = attempts = 0;
    pages.off('x', hear);
    wake();
    if (engine) { engine.close('forced close'); }
    return self;
  };

  if (opts.autoConnect) { self.open(); }
}
