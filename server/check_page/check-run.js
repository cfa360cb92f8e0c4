/*
 * The run: every way to the server tried by itself with the server's own client, then one connection for which the client
 * chooses. Each finding is written into the run, whose form is made in check.start; check-words.js says what it means.
 */
(function (check) {
  var TRIPS = 5,
    // Milliseconds that a way may stay without a sign of life; ?patience=SECONDS in the page's address says another time.
    PATIENCE = 8000,
    // The server sends the second part of a streamed answer 800 ms after the first; milliseconds from which they came apart.
    APART = 400,
    // Milliseconds that the client may take to move to a better transport once it is connected.
    MOVING = 2500,
    ORDER = ['websocket', 'polling', 'jsonp', 'htmlfile'],
    requests = 0;

  function now() { return new Date().getTime(); }

  /** Milliseconds to a tenth, where the browser has such a clock. */
  function fine() { return window.performance && window.performance.now ? Math.round(window.performance.now() * 10) / 10 : now(); }

  function patience() {
    var found = /[?&]patience=(\d+(?:\.\d+)?)/.exec(location.search);
    return found ? found[1] * 1000 : PATIENCE;
  }

  function newId() {
    return (now().toString(36) + Math.random().toString(36).replace(/[^a-z0-9]/g, '') + '000000').substring(0, 16);
  }

  // -- plain requests --------------------------------------------------------------------------------------------------

  /** An XMLHttpRequest by hand; done(status, text, milliseconds from the first text to the end, or -1 if unknown) once. */
  function ask(method, url, body, done) {
    var xhr, timer, first = 0, over = false;

    function end(status) {
      var text = '';
      if (over) { return; }
      over = true;
      clearTimeout(timer);
      try { text = xhr.responseText || ''; } catch (unreadable) { /* old Internet Explorer, after a failure */ }
      done(status, text, first ? now() - first : -1);
    }

    function look() {
      var status = 0;
      if (over) { return; }
      if (xhr.readyState == 3 && !first) {
        // Internet Explorer up to 9 throws: it shows nothing before the end.
        try { if (xhr.responseText.length) { first = now(); } } catch (hidden) { /* unknown then */ }
      }
      if (xhr.readyState == 4) {
        try { status = xhr.status; } catch (failed) { /* Firefox 3 */ }
        end(status);
      }
    }

    try {
      xhr = window.XMLHttpRequest ? new window.XMLHttpRequest() : new window.ActiveXObject('Microsoft.XMLHTTP');
      xhr.open(method, url + (url.split('?').length > 1 ? '&' : '?') + 't=' + now().toString(36) + requests++, true);
      if (body) { xhr.setRequestHeader('Content-Type', 'text/plain;charset=UTF-8'); }
      xhr.onreadystatechange = look;
      timer = setTimeout(function () {
        end(-1);
        xhr.abort();
      }, patience());
      xhr.send(body || null);
    } catch (none) { setTimeout(function () { end(-2); }, 0); }
  }

  /** The server's JSON, which old browsers cannot read without help; nothing if it is not the server's. */
  function readAnswer(text) {
    if (!/^\{"address":.*\}\s*$/.test(text)) { return undefined; }
    try {
      // Without its strings there is nothing in it that could act (RFC 4627, section 6).
      if (window.JSON) { return window.JSON.parse(text); }
      return /[^,:{}\[\]0-9.\-+Eaeflnr-u \n\r\t]/.test(text.replace(/"(\\.|[^"\\])*"/g, '')) ? undefined : readOld(text);
    } catch (broken) { return undefined; }
  }

  function readOld(text) { return new Function('return ' + text)(); }

  /** Whether the server answers, and what it says of this browser, which stays known when it answers no more. */
  function probe(run, done) {
    var from = now();
    ask('GET', run.facts.path + 'check.json?check=' + run.id, '', function (status, text) {
      var data = status == 200 ? readAnswer(text) : undefined, trip = now() - from;
      if (data) {
        run.probe = { state: 'ok', data: data };
        run.clock = data.time - (from + trip / 2);
      } else {
        run.probe = { data: run.probe.data, state: status == 200 || /<html|<body|<!doctype/i.test(text) && status < 500 && status > 0 ? 'foreign' : 'failed',
          why: status > 0 ? 'HTTP ' + status : status == -1 ? 'no answer within ' + check.words.span(patience()) : '' };
      }
      done();
    });
  }

  /** Whether answers come piece by piece. One that came in one piece is asked for again: the browser itself may have been busy. */
  function testStream(run, done, again) {
    ask('GET', run.facts.path + 'check.stream', '', function (status, text, apart) {
      var whole = status == 200 && /^one\s+two$/.test(text);
      run.stream = !whole ? 'failed' : apart < 0 ? 'unknown' : apart >= APART ? 'passes' : again ? 'held' : '';
      if (run.stream) { done(); } else { testStream(run, done, true); }
    });
  }

  /** What the server says to a session by hand, where the client can only tell that it failed. */
  function diagnose(run, done) {
    var url = run.facts.path + '?EIO=4&transport=polling';
    ask('GET', url, '', function (status, text) {
      var sid = status == 200 && /"sid":"([^"]+)"/.exec(text);
      if (!sid) {
        run.refusal = { status: status, body: text };
        return done();
      }
      url += '&sid=' + encodeURIComponent(sid[1]);
      ask('POST', url, '40' + run.facts.namespace + ',', function (status, text) {
        if (status != 200 || text != 'ok') { run.refusal = { status: status, body: text }; }
        ask('POST', url, '1', function () {});
        done();
      });
    });
  }

  // -- one way ---------------------------------------------------------------------------------------------------------

  function missing(name) {
    return name == 'websocket' ? !window.WebSocket && !window.MozWebSocket : name == 'polling' && !window.XMLHttpRequest && !window.ActiveXObject;
  }

  /** TRIPS echoes, one after the other; each(ms), then done(). */
  function measure(socket, each, done) {
    var count = 0;
    function trip() {
      var from = fine();
      socket.emit('echo', count, function () {
        each(Math.round((fine() - from) * 10) / 10);
        if (++count < TRIPS) { trip(); } else { done(); }
      });
    }
    trip();
  }

  function connect(run, transports, options, trace) {
    var opts = { path: run.facts.path, forceNew: true, query: { check: run.id }, debug: trace }, key;
    if (transports) { opts.transports = transports; }
    for (key in options) { opts[key] = options[key]; }
    return io(run.facts.namespace, opts);
  }

  /** The browser's WebSocket, which tells when it is open, whatever comes over it then. */
  function watched(way) {
    var Native = window.WebSocket || window.MozWebSocket;
    return function (url) {
      var socket = new Native(url);
      if (socket.addEventListener) { socket.addEventListener('open', function () { way.upgraded = true; }, false); }
      return socket;
    };
  }

  /** Tries one way by itself; done() when it is known whether it works. */
  function testWay(run, name, done) {
    var way = run.ways[name], began = now(), socket, timer, over = false;

    function end(state, why) {
      if (over) { return; }
      over = true;
      clearTimeout(timer);
      way.state = state;
      way.why = why;
      socket.disconnect();
      socket.io.close();
      run.changed();
      setTimeout(done, 50);
    }

    function alive() {
      clearTimeout(timer);
      timer = setTimeout(function () {
        way.late = true;
        end('blocked', way.why || 'silent for ' + check.words.span(patience()));
      }, patience());
    }

    function trace(direction, transport, data) {
      if (over) { return; }
      // "no answer" only says that the client would look for another way by now; what does come later is the cause.
      if (direction == '!' && (!way.why || way.why == 'no answer')) { way.why = String(data); }
      if (direction == '<') {
        way.opened = way.opened || /^0\{/.test(data);
        alive();
      }
    }

    if (run.offered && !run.offered[name]) {
      way.state = 'off';
    } else if (missing(name)) {
      way.state = 'absent';
    }
    if (way.state != 'waiting') {
      run.changed();
      return done();
    }
    way.state = 'testing';
    run.changed();
    run.abort = function () { end('waiting', ''); };
    socket = connect(run, [name], { upgrade: false, remember: false, reconnection: false, timeout: 120000, WebSocket: watched(way) }, trace);
    alive();
    socket.on('connect', function () {
      way.ms = now() - began;
      measure(socket, function (ms) {
        way.trips.push(ms);
        run.changed();
      }, function () { end('works', ''); });
    });
    socket.on('connect_error', function (error) { end('blocked', way.why || error.message); });
    socket.on('disconnect', function (reason) {
      way.broke = now() - began;
      end('blocked', way.why || reason);
    });
  }

  /** What the server has noted of each way's handshakes. */
  function sort(run) {
    var data = run.probe.data, notes = data ? data.handshakes : [], n, way;
    for (n = 0; n < notes.length; n++) {
      way = run.ways[notes[n].transport];
      if (way) { way.notes = (way.notes || []).concat(notes[n]); }
    }
  }

  // -- the client's own choice -----------------------------------------------------------------------------------------

  /** The transport that the client remembers for this server (js_client/src/memory.js), or ''. */
  function remembered(run) {
    var key = ('anywire' + location.protocol + '//' + location.host + run.facts.path).replace(/\W+/g, '_'), text = '', parts;
    try { text = window.localStorage.getItem(key) || ''; } catch (noStorage) { /* the cookie then */ }
    try { text = text || document.cookie.split(key + '=')[1] || ''; } catch (noCookie) { /* a sandbox */ }
    parts = text.split('/');
    return parseInt(parts[2], 10) > now() && check.words.name(parts[0]) ? parts[0] : '';
  }

  function canStore() {
    try {
      window.localStorage.setItem('anywire_check', '1');
      window.localStorage.removeItem('anywire_check');
      return true;
    } catch (refused) { return !!navigator.cookieEnabled; }
  }

  /** Lets the client choose; done() when it is connected and has settled, or has failed for too long. The connection stays. */
  function choose(run, done) {
    var chosen = run.chosen, began = now(), socket, timer, settled = false;

    function settle() {
      if (settled) { return; }
      settled = true;
      clearTimeout(timer);
      chosen.ended = now() - began;
      chosen.remembers = remembered(run);
      done();
    }

    function look() {
      var engine = socket.io.engine;
      if (socket.connected && engine && engine.transport) { chosen.name = engine.transport.name; }
      run.changed();
    }

    function trips() {
      clearTimeout(timer);
      timer = setTimeout(settle, patience());
      measure(socket, function (ms) { if (!settled) { chosen.trips.push(ms); } }, settle);
    }

    /** Without the session's id: the report goes through many hands, and who has the id can join in. */
    function trace(direction, transport, data) {
      var text = String(data).replace(/("sid":")[^"]*/g, '$1...').replace(/([?&]sid=)[^&]*/g, '$1...');
      if (chosen.trace.length < 200) { chosen.trace.push([now() - began, direction, transport, text]); }
    }

    chosen.storage = canStore();
    chosen.remembered = remembered(run);
    run.socket = socket = connect(run, 0, {}, trace);
    timer = setTimeout(function () {
      if (!socket.connected) { socket.disconnect(); }
      settle();
    }, 2 * patience());
    socket.on('connect', function () {
      var engine = socket.io.engine, may = run.ways.websocket.state == 'works' && run.facts.upgrades;
      look();
      run.since = now();
      engine.on('upgrade', function () {
        look();
        if (!settled) { trips(); }
      });
      if (settled) { return; }
      chosen.ms = chosen.ms || now() - began;
      if (chosen.name == 'websocket' || !may) {
        trips();
      } else {
        clearTimeout(timer);
        timer = setTimeout(trips, MOVING);
      }
    });
    socket.io.on('reconnect_attempt', function () { trace('*', '', 'again'); });
    socket.on('disconnect', function (reason) {
      if (run.since) { run.breaks.push([now() - run.since, reason]); }
      run.since = 0;
      run.changed();
    });
  }

  // -- all of it -------------------------------------------------------------------------------------------------------

  function protocol() {
    try {
      return window.performance.getEntriesByType('navigation')[0].nextHopProtocol.replace(/^http\//, 'HTTP/').replace(/^h([23])c?$/, 'HTTP/$1');
    } catch (old) { return ''; }
  }

  /** A run that has not begun. changed() is called whenever there is something new to show. */
  function newRun(facts, changed) {
    var run = {
      id: newId(), facts: facts, changed: changed, client: typeof io != 'undefined' && !!facts, order: ORDER, ways: {}, offered: facts ? {} : null,
      host: location.host, address: location.protocol + '//' + location.host + (facts ? facts.path : ''), page: location.href,
      secure: location.protocol == 'https:', protocol: protocol(), agent: navigator.userAgent, cookies: navigator.cookieEnabled !== false,
      online: navigator.onLine !== false, time: String(new Date()).replace(/GMT([+\-]\d\d)(\d\d).*/, '(UTC$1:$2)'),
      probe: { state: 'waiting' }, stream: '', refusal: null, breaks: [], since: 0, tested: false, settled: false, over: false,
      chosen: { name: '', ms: 0, ended: 0, trips: [], trace: [], storage: true, remembered: '', remembers: '' }
    }, n;
    for (n = 0; n < ORDER.length; n++) { run.ways[ORDER[n]] = { state: 'waiting', ms: 0, trips: [], opened: false, why: '', notes: null }; }
    for (n = 0; facts && n < facts.transports.length; n++) { run.offered[facts.transports[n]] = true; }
    return run;
  }

  function anyBlocked(run) {
    for (var n = 1; n < ORDER.length; n++) {
      if (run.ways[ORDER[n]].state == 'blocked') { return true; }
    }
    return false;
  }

  /** Begins a run and returns it. */
  check.start = function (facts, changed) {
    var run = newRun(facts, function () { if (!run.stopped) { changed(run); } });

    function ways(n) {
      if (run.stopped) { return; }
      if (n < ORDER.length) {
        testWay(run, ORDER[n], function () { ways(n + 1); });
      } else {
        run.tested = true;
        run.changed();
        probe(run, function () {
          sort(run);
          if (run.offered.polling && (anyBlocked(run) || !run.ways.websocket.trips.length && run.ways.polling.state != 'works')) {
            diagnose(run, last);
          } else {
            last();
          }
        });
      }
    }

    function last() {
      run.abort = 0;
      if (run.stopped) { return; }
      choose(run, function () {
        // What stands between the client and a way that worked may be that the server or the network has gone since.
        if (run.chosen.name) { settled(); } else { probe(run, settled); }
      });
    }

    function settled() {
      run.settled = true;
      finish();
    }

    /** Both the choice and the streamed answer, which takes its time, are in. */
    function finish() {
      run.online = navigator.onLine !== false;
      run.over = run.settled && run.stream !== '';
      run.changed();
    }

    if (!run.client) {
      run.over = true;
    } else {
      testStream(run, finish);
      probe(run, function () {
        run.changed();
        ways(0);
      });
    }
    setTimeout(run.changed, 0);
    return run;
  };

  /** Ends a run and its connection. */
  check.stop = function (run) {
    run.stopped = true;
    if (run.abort) { run.abort(); }
    if (run.socket) {
      run.socket.disconnect();
      run.socket.io.close();
    }
  };
})(anywireCheck);
