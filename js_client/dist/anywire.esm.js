/*! anywire 0.1.0 | MIT */
const module = { exports: {} };
(function (global) {

// ---- codec.js

/*
 * The wire: Engine.IO 4 payloads and Socket.IO 5 packets, strings and ArrayBuffers in, values out.
 * https://github.com/socketio/engine.io-protocol (revision 4), https://github.com/socketio/socket.io-protocol (revision 5)
 */

var SEPARATOR = '\x1e',
  CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3,
  // Names that only the library itself may give to an event (socket.io-parser 4.2, RESERVED_EVENTS).
  RESERVED = /^(connect(_error)?|disconnect(ing)?|(new|remove)Listener)$/;

/** ArrayBuffer, typed array, DataView, Blob or File; Node's Buffer is a Uint8Array. */
function isBinary(value) {
  return /(Buffer|\wArray|DataView|Blob|File)\]$/.test({}.toString.call(value));
}

/** 'b' + base64 of an ArrayBuffer or a view of one: binary on a carrier of text (engine.io-protocol, "HTTP long-polling"). */
function binaryToText(value) {
  var bytes = new global.Uint8Array(value.buffer || value, value.byteOffset || 0, value.byteLength),
    text = '', i;
  for (i = 0; i < bytes.length; i++) { text += String.fromCharCode(bytes[i]); }
  return 'b' + global.btoa(text);
}

/** The ArrayBuffer in base64; where there is none (Internet Explorer 9 and older), a String object of the base64. */
function textToBinary(text) {
  var raw, bytes, i;
  if (!global.Uint8Array) { return Object(text); }
  raw = global.atob(text);
  bytes = new global.Uint8Array(raw.length);
  for (i = 0; i < raw.length; i++) { bytes[i] = raw.charCodeAt(i); }
  return bytes.buffer;
}

/**
 * A Socket.IO packet as messages: a string, then its attachments.
 * <type>[<attachments>-][<namespace>,][<ack id>][JSON]; binary values become {"_placeholder":true,"num":index}.
 * Without an id it is '', without data undefined. Throws what JSON throws (a cyclic structure).
 */
function encodePacket(type, nsp, id, data) {
  var messages = [''],
    text = json.stringify(data, function (key, value) {
      var raw = this[key];  // value has gone through toJSON already, which Node's Buffer has
      return isBinary(raw) ? { '_placeholder': true, num: messages.push(raw) - 2 } : value;
    });
  messages[0] = (messages.length > 1 ? type + 3 + (messages.length - 1 + '-') : type) +
    // Half a character has no UTF-8: what old WebKits send for it ends the session.
    (nsp == '/' ? '' : nsp + ',') + id + (text || '').replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, escaped);
  return messages;
}

/** Puts attachments back into data; throws if a placeholder names none. */
function restore(data, attachments) {
  if (data && typeof data == 'object') {
    if (data['_placeholder'] === true) {
      if (!(+data.num in attachments)) { throw invalid(); }
      return attachments[data.num];
    }
    each(data, function (key, value) { data[key] = restore(value, attachments); });
  }
  return data;
}

function invalid() {
  return new Error('invalid packet');
}

/**
 * Reads one text message; throws an Error if it is not a packet. `_id` is NaN if there is none, `_data` ''. `_need` is the number of
 * attachments that follow, as text, if there are any.
 */
function decodePacket(message) {
  // Internet Explorer 6-8 give '' for a group that took no part, others undefined.
  var match = /^(?:([0-4])|([56])(\d+)-)(?:(\/[^,]*),?)?(\d+)?([\s\S]*)/.exec(message) || [],
    type = match[2] ? match[2] - 3 : match[1],
    text = match[6],
    data = text && json.parse(text);
  // CONNECT carries an object or nothing, EVENT an array that begins with a name, ACK an array, CONNECT_ERROR an object (or the
  // bare text of older servers).
  if (!/^(0(\{|$)|1$|2\[["\-\d]|3\[|4[{"])/.test(type + text) || type == EVENT && RESERVED.test(data[0])) {
    throw invalid();
  }
  return { _type: +type, _nsp: match[4] || '/', _id: parseInt(match[5]), _data: data, _need: match[3] };
}

/** Returns a function that takes messages in order and returns a packet as soon as one is whole; it throws on any other. */
function packetReader() {
  var waiting, attachments;
  return function (message) {
    var packet = waiting, isText = typeof message == 'string';
    if (isText == !!waiting) { throw invalid(); /* text while attachments are due, or binary when none is */; }
    if (isText) {
      packet = decodePacket(message);
      attachments = [];
    } else {
      attachments.push(message);
    }
    waiting = attachments.length < packet._need && packet;
    if (waiting) { return; }
    if (packet._need) { packet._data = restore(packet._data, attachments); }
    return packet;
  };
}

// ---- json.js

/*
 * JSON: the browser's own where there is one (all but Internet Explorer 6 and 7), else a small reader and writer.
 */

// Of stringify's replacer ours has no need: engines without a JSON of their own have no binary to replace.
var json = global.JSON || { parse: readJson, stringify: writeJson };

/** Evaluates text, once it is sure that nothing in it can act; as RFC 4627, section 6, says. */
function readJson(text) {
  if (/[^,:{}\[\]0-9.\-+Eaeflnr-u \n\r\t]/.test(text.replace(/"(\\.|[^"\\])*"/g, ''))) { throw invalid(); }
  // Two line ends to JavaScript are characters to JSON.
  return new Function('return ' + text.replace(/[\u2028\u2029]/g, escaped))();
}

/** A pair of surrogates, which is one character, stays. */
function escaped(c) {
  return c.charAt(1) ? c : '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4);
}

/** undefined for what JSON leaves out (functions, undefined), as JSON.stringify. */
function writeJson(value) {
  var parts = [], type = typeof value, key;
  if (type == 'string') {
    return '"' + value.replace(/[^ !#-\[\]-~]/g, escaped) + '"';
  }
  if (/^[uf]/.test(type)) { return; }
  if (type != 'object' || !value) { return isFinite(value) ? '' + value : 'null'; }
  if ({}.toString.call(value) == '[object Array]') {
    for (key = 0; key < value.length; key++) { parts.push(json.stringify(value[key]) || 'null'); }
    return '[' + parts + ']';
  }
  each(value, function (name, part) {
    part = json.stringify(part);
    if (part) { parts.push(json.stringify(name) + ':' + part); }
  });
  return '{' + parts + '}';
}

// ---- dom.js

/*
 * Page furniture of the transports that have to use it: scripts, hidden iframes, forms.
 */

var doc = global.document, nav = global.navigator || {},
  count = 0,  // of what has to be unique in this page
  // Milliseconds: a megabyte at half a megabit a second.
  SLOWEST_FORM = 15e3;

function listen(target, name, listener) {
  if (target.addEventListener) {
    target.addEventListener(name, listener, false);
  } else if (target.attachEvent) {
    target.attachEvent('on' + name, listener);
  }
}

/** Removes node a moment later: a browser may still be in the midst of an event of it, or, as Firefox, go on "loading". */
function discard(node) {
  setTimeout(function () {
    if (node && node.parentNode) { node.parentNode.removeChild(node); }
  }, 1);
}

/**
 * A GET by a node of the page, whose scripts call fn as global[table][n]; the n is said in the query as `param`.
 * create() makes the node once the page's load event is over: a script or iframe started earlier holds the event back, and
 * the browser shows itself loading, for as long as it streams (every engine; measured).
 * Returns a function that clears it away. What then still calls (a script that was removed may run yet) is not heard.
 */
function nodeGet(route, param, table, fn, create) {
  var all = global[table] = global[table] || [], index = route._params[param], node;

  function later() {
    setTimeout(function () {
      if (all[index] === fn) { node = create(); }
    }, 1);
  }

  if (index === undefined) { index = route._params[param] = all.length; }
  all[index] = fn;
  // Firefox 3.5 and older have no readyState.
  if (/^[uc]/.test(doc.readyState)) {
    later();
  } else {
    listen(global, 'load', later);
  }
  return function () {
    all[index] = noop;
    discard(node);
  };
}

/** A hidden part of `page` made of HTML; Internet Explorer 6 and 7 take an iframe's name only there. ready(part) before it is shown. */
function addHidden(page, html, ready) {
  var part = page.createElement('div');
  part.style.display = 'none';
  part.innerHTML = html;
  ready(part);
  page.body.appendChild(part);
  return part;
}

/**
 * POSTs `d=<text>` by a form into an iframe of its own: a second load in the same one adds to the browser's history.
 * done('', answer) once it is there, "ok" if it cannot be read. No engine but Chromium has an event for a form whose connection broke:
 * that is told by the clock. Engine.IO's JSONP transport sends this way.
 * A form would turn a newline into CR LF, so it takes backslash n for one, and our backslash n (JSON has no newline) goes with two.
 */
function postForm(route, text, done) {
  var name = 'anywire' + count++, form, frame, timer,
    part = addHidden(doc, '<form method=POST accept-charset=utf-8 target=' + name + '><textarea name=d></textarea></form><iframe name=' +
      name + '></iframe>', function (part) {
      form = part.firstChild;
      frame = part.lastChild;
      form.action = route._url();
      form.firstChild.value = text.replace(/\\n/g, '\\\\n');
    });

  function end(error, answer) {
    clearTimeout(timer);
    discard(part);
    done(error, answer);
    done = noop;
  }

  listen(frame, 'load', function () {
    var answer = 'ok';
    try {
      // Firefox also tells the load of the empty frame.
      if (frame.contentWindow.location.href == 'about:blank') { return; }
      answer = frame.contentWindow.document.body.innerHTML;
    } catch (ignore) { /* another origin: its answer cannot be read, and the poll will tell */ }
    end('', answer);
  });
  timer = setTimeout(function () { end('no answer'); }, SLOWEST_FORM);
  form.submit();
}

// ---- emitter.js

/*
 * Events: listeners by name, given to the connection, the Manager and the Socket; and small things that every file uses.
 * A listener that throws neither stops the others nor breaks the session: its error goes to the page's own error handler.
 */

function noop() {}

/** Milliseconds of the wall clock. */
function now() {
  return +new Date();
}

/** Calls fn(key, value) for each own enumerable property. */
function each(object, fn) {
  for (var key in object) {
    if ({}.hasOwnProperty.call(object, key)) { fn(key, object[key]); }
  }
}

/** Calls fn(item) for each item of an array. */
function eachOf(list, fn) {
  for (var i = 0; i < list.length; i++) { fn(list[i]); }
}

/** Copies own enumerable properties of source onto target, but for those that are undefined: an option that is not given. */
function extend(target, source) {
  each(source, function (key, value) { if (value !== undefined) { target[key] = value; } });
  return target;
}

/** A real array of an arguments object or array, from that index on. */
function slice(list, from) {
  return [].slice.call(list, from);
}

/** The list without the first item like it, or like what `once` made of it; empty if there is no item. */
function without(list, item) {
  var kept = [];
  eachOf(list, function (other) {
    if (item && other !== item && other._of !== item) { kept.push(other); } else { item = item && kept; }
  });
  return kept;
}

/** Calls fn with the array args; what it throws is thrown again from a timer, where only window.onerror sees it. */
function guarded(fn, self, args) {
  try {
    fn.apply(self, args);
  } catch (error) {
    setTimeout(function () { throw error; }, 0);
  }
}

/** Makes self an emitter. The names of component-emitter and of 0.9's EventEmitter mean the same. */
function emitter(self) {
  // '$' + event name -> listeners (the prefix keeps 'constructor' and '__proto__' harmless); a list is replaced, never changed
  var all = {};

  self.on = self.addListener = function (name, listener) {
    all['$' + name] = self.listeners(name).concat(listener);
    return self;
  };

  self.once = function (name, listener) {
    function only() {
      self.off(name, only);
      listener.apply(self, arguments);
    }
    only._of = listener;
    return self.on(name, only);
  };

  /** off() removes all listeners, off(name) all of that event, off(name, listener) that one, also if added by once. */
  self.off = self.removeListener = self.removeAllListeners = function (name, listener) {
    if (name) {
      all['$' + name] = without(self.listeners(name), listener);
    } else {
      all = {};
    }
    return self;
  };

  self.listeners = function (name) {
    return all['$' + name] || [];
  };

  /** Calls the listeners that are there now, in order, with the caller's `this`. 0.9's name; `emit` of a Socket sends to the server. */
  self.$emit = function (name) {
    var from = this, args = slice(arguments, 1);
    eachOf(self.listeners(name), function (listener) { guarded(listener, from, args); });
  };
  return self;
}

// ---- transports/polling.js

/*
 * XHR long-polling: the server holds each GET until it has packets.
 *
 * The session begins by a POST of the packets that wait, which our server answers like a poll: within one round trip it is known
 * to work both ways. Other servers refuse that, and are asked by a GET from then on; the first time a little later, for they would
 * make a session of it beside that of a WebSocket which is about to be proven.
 */

function polling(route) {
  var first = !route._opts._plain && route._first;

  return httpTransport(route, function (done) {
    var timer, sent = first, abort = request(route, sent && (sent.join(SEPARATOR) || '6'), function (error, text) {
      // XDomainRequest knows no status, and has no text then.
      if (sent && /^(HTTP 400|$)/.test(error + text)) {
        route._opts._plain = 1;
        timer = setTimeout(function () { abort = request(route, '', done); }, 100);
      } else {
        route._taken = sent;
        done(error, text);
      }
    });

    first = 0;
    return function () {
      clearTimeout(timer);
      abort();
    };
  }, request);
}

// ---- backoff.js

/*
 * Back-off: how long to wait before the next attempt to reconnect. Pure: the caller gives the random number.
 */

/**
 * Milliseconds before attempt number `attempt` (0 is the first), by the options of Manager: reconnectionDelay * 2^attempt, at most
 * reconnectionDelayMax, less a random share of up to randomizationFactor (0..1), so that the clients of a restarted server do not
 * all come back in the same moment. `random` is in [0, 1).
 */
function backoff(attempt, opts, random) {
  return Math.min(opts.reconnectionDelayMax, opts.reconnectionDelay * Math.pow(2, attempt)) * (1 - opts.randomizationFactor * random);
}

// ---- memory.js

/*
 * Memory: which transport worked towards a server, so that the next visit begins with it. In localStorage, else in a cookie,
 * else (no storage allowed, or no browser) nowhere.
 */

var DAY = 864e5;  // milliseconds

/** Stores text under key if given, and returns what is stored there. */
function stored(key, text) {
  try {
    if (text) { global.localStorage.setItem(key, text); }
    return global.localStorage.getItem(key);
  } catch (noStorage) {
    try {
      if (text) { doc.cookie = key + '=' + text + ';path=/;expires=' + new Date(now() + DAY).toUTCString(); }
      return doc.cookie.split(key + '=')[1];
    } catch (noCookie) { /* Node, or a sandboxed frame */ }
  }
}

/** Remembers for a day what recall will say. */
function remember(key, works) {
  stored(key, works.concat(now() + DAY).join('/'));
}

/** [transport's name, milliseconds until it answered, until when that counts], if one is remembered. */
function recall(key) {
  var parts = (stored(key) || '').split('/');
  if (parseInt(parts[2]) > now()) { return parts; }
}

// ---- transports/websocket.js

/*
 * WebSocket: the browser's own, or the one in the option of that name; one message a packet. The other transports imitate it.
 */

function websocket(route) {
  var Native = route._opts.WebSocket || global.WebSocket,
    socket = new Native(route._url().replace(/^http/, 'ws'));

  socket.binaryType = 'arraybuffer';
  // It says nothing that onclose does not; but in Node, an error that nobody hears ends the process.
  socket.onerror = noop;
  socket._binary = true;
  socket._idle = function () { return !socket.bufferedAmount; };
  return socket;
}

// ---- transports/jsonp.js

/*
 * JSONP polling: each GET is a script that calls ___eio[j]("payload"), Engine.IO's name; the POST is a form. Needs nothing but a DOM.
 */

function jsonp(route) {
  route._params.transport = 'polling';

  return httpTransport(route, function (done) {
    return nodeGet(route, 'j', '___eio', function (payload) { done('', payload); }, function () {
      var script = doc.createElement('script');

      // Internet Explorer 6-8 know no onload and tell the end of success and failure alike; KHTML never tells a failure.
      script.onload = script.onerror = script.onreadystatechange = function () {
        if (/undefined|loaded|complete/.test(script.readyState)) {
          // Internet Explorer may say "loaded" a moment before it runs the script.
          setTimeout(function () { done('no script'); }, 100);
        }
      };
      script.src = route._url();
      doc.getElementsByTagName('head')[0].appendChild(script);
      return script;
    });
  }, postForm);
}

// ---- transports/xhr.js

/*
 * One HTTP request by script: XMLHttpRequest, ActiveX in Internet Explorer 6, XDomainRequest across origins in 8 and 9.
 */

/** Throws where there is none. */
function newXhr() {
  return global.XMLHttpRequest ? new global.XMLHttpRequest() : new global.ActiveXObject('Microsoft.XMLHTTP');
}

/**
 * GETs, or POSTs body if there is one; done(error, text). Returns a function that aborts it, and has no effect after its end.
 * Throws where there is no such object, or an XDomainRequest is to leave the page's scheme.
 */
function request(route, body, done) {
  var xhr = newXhr(),
    xdr = route._cross && !('withCredentials' in xhr);

  function finish() {
    var status = 0, text = '';
    try {
      text = xhr.responseText;
      status = xdr ? 200 : xhr.status;
    } catch (ignore) { /* Firefox 3 and Internet Explorer 9, after a failure */ }
    done(status == 200 ? '' : 'HTTP ' + status, text);
  }

  if (xdr) { xhr = new global.XDomainRequest(); }

  xhr.open(body ? 'POST' : 'GET', route._url(), true);
  if (xdr) {
    // What failed has no text, and an answer without one is a failure.
    xhr.onload = xhr.onerror = xhr.ontimeout = finish;
    xhr.onprogress = noop;  // Internet Explorer 9 aborts a request without one
  } else {
    if (route._cross && route._opts.withCredentials) { xhr.withCredentials = true; }
    xhr.onreadystatechange = function () {
      if (xhr.readyState == 4) {
        xhr.onreadystatechange = noop;  // Internet Explorer leaks a request that keeps its listener, and 6 takes no null
        finish();
      }
    };
  }
  xhr.send(body || null);
  return function () {
    if (!xdr) { xhr.onreadystatechange = noop; }
    xhr.abort();
  };
}

// ---- transports/htmlfile.js

/*
 * htmlfile: a hidden iframe whose document never ends; each script in it calls parent.anywire_htmlfile[i]("packet"), and is removed.
 * In old Internet Explorer the iframe lives in an ActiveX document, so that it neither clicks nor shows a page that loads.
 * Needs the page's own origin. Sends by POST, as polling does.
 */

function htmlfile(route) {
  newXhr();  // it throws where there is none, before a packet depends on it
  if (route._cross) { throw new Error('other origin'); }
  return httpTransport(route, function (done, transport) {
    var frame, page, heard, clear = nodeGet(route, 'i', 'anywire_htmlfile', function (packet) {
      heard = true;
      transport._hear(packet);
    }, function () {
      try {
        // Its frames find our callbacks in their parent.
        page = new global.ActiveXObject('htmlfile');
        page.open();
        page.write('<html></html>');
        page.close();
        page.parentWindow.anywire_htmlfile = global.anywire_htmlfile;
      } catch (ignore) { /* every other browser */ }
      return addHidden(page || doc, '<iframe></iframe>', function (part) {
        frame = part.firstChild;
        frame.src = route._url();
        // The end of a stream that has said something is as good as a noop.
        listen(frame, 'load', function () { done('', heard && '6'); });
      });
    });

    return function () {
      clear();
      if (page) {
        // Internet Explorer keeps the connection of a frame that was only removed.
        frame.src = 'about:blank';
        page = 0;
        global.CollectGarbage();
      }
    };
  }, request);
}

// ---- transports/registry.js

/*
 * The transports, by the names that the option `transports` uses. One line adds one.
 *
 * Each is a function of a route (where to and for whom: see newRoute in connection.js) that starts one, or throws if that is
 * not possible in this browser or towards this server. What it returns imitates a WebSocket: onopen(), onmessage({data}),
 * onclose({reason or code}), which the connection sets, send(packet), close(); it calls them later, never from within the function. Those over HTTP are
 * open once the server has taken a POST. Beyond that,
 *   _binary       whether send takes an ArrayBuffer, a typed array or a Blob as it is
 *   _idle()       whether a packet given now would go out now
 *   _pause(done)  (if another transport can take over) ends reading and writing; done() when no request is under way
 * close() also closes the session, if the route still has its id.
 */
var TRANSPORTS = {
  websocket: websocket,
  polling: polling,
  htmlfile: htmlfile,
  jsonp: jsonp
};

// ---- connection.js

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

// ---- transports/http.js

/*
 * What polling, JSONP and htmlfile share: they read by one GET after the other and write by one POST after the other.
 */

/**
 * A transport out of two functions:
 *   get(done, transport)  starts a GET; done(error, payload) when it ended; returns a function that clears it away, ended or not
 *   post(route, text, done)  sends a payload; done(error, answer) when the server has it
 * An error is a text, none is ''.
 */
function httpTransport(route, get, post) {
  var queue = [], posting, abort, ended = noop, paused, over, self = {
    onopen: noop,

    send: function (packet) {
      queue.push(packet.charAt ? packet : binaryToText(packet));
      write();
    },

    /**
     * Sends what waits and Engine.IO's close packet, then ends the GET: ended first, the server would take the session for lost.
     * Without a session it ends the GET at once: a browser has few connections to a server, and others need them.
     */
    close: function () {
      if (over) { return; }
      over = true;
      if (!route._params.sid) {
        stop();
      } else if (leaving && nav.sendBeacon) {
        // The page is going: nothing else is sure to be sent.
        nav.sendBeacon(route._url(), queue.concat('1').join(SEPARATOR));
        queue = [];
        stop();
      } else {
        self.send('1');
        settle();
      }
    },

    _idle: function () { return !posting; },

    _pause: function (done) {
      paused = done;
      settle();
    },

    _hear: function (packet) {
      self.onmessage({ data: packet });
    }
  };

  function read() {
    function done(error, payload) {
      if (done !== ended) { return; }
      stop();
      if (error || !payload) { return lost(error || 'no text'); }
      eachOf(payload.split(SEPARATOR), self._hear);
      if (paused) {
        settle();
      } else if (!over) {
        read();
      }
    }

    ended = done;
    abort = get(done, self);
  }

  function write() {
    if (posting || !queue.length) { return; }
    posting = true;
    post(route, batch(), function (error, answer) {
      posting = 0;
      // Every server says "ok"; a page instead of it is from somebody in between.
      if (error || !/^\s*ok\s*$/i.test(answer)) { return lost(error || 'POST got ' + answer); }
      self.onopen();
      write();
      settle();
    });
  }

  /** As many packets as one body may hold by the server's maxPayload; one larger packet goes alone, to be refused there. */
  function batch() {
    var count = 0, size = 0;
    do {
      size += queue[count].length + 1;
      // 9: the most bytes that one character takes in a form (%E2%82%AC).
    } while (++count < queue.length && (size + queue[count].length) * 9 < route._maxPayload);
    return queue.splice(0, count).join(SEPARATOR);
  }

  /** All that was asked for is done: the transport may end, or rest. */
  function settle() {
    var done = paused;
    if (posting || queue.length) { return; }
    if (over) {
      stop();
    } else if (done && !abort) {
      paused = noop;
      done();
    }
  }

  function lost(reason) {
    var tell = over ? noop : self.onclose;
    queue = [];
    over = true;
    stop();
    tell({ reason: reason });
  }

  /** Clears the GET away; what it may still say is not heard. */
  function stop() {
    var clear = abort;
    ended = noop;
    abort = 0;
    if (clear) { clear(); }
  }

  read();
  return self;
}

// ---- manager.js

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

// ---- socket.js

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

// ---- client.js

/*
 * The way in: io(url, options), as a global of a page or by CommonJS.
 */

var managers = {};

/**
 * Where an address points: {_origin, _cross, _path, _query}. What it leaves out comes from the page, and the options hostname,
 * port and secure go before it. "//host", "/namespace" and "host:port" are understood, and ws: stands for http:.
 */
function parseTarget(url, opts) {
  var page = global.location || {},
    parts = /^(?:(\w+:)?\/\/)?([^\/?#]*)([^?#]*)([^#]*)/.exec(url || '/'),
    origin = (opts.secure || /[ps]s:$/i.test(parts[1] || page.protocol) ? 'https://' : 'http://') +
      (opts.hostname || parts[2] || page.host || 'localhost').toLowerCase();

  if (opts.port) { origin = origin.replace(/(:\d+)?$/, ':' + opts.port); }

  return {
    _origin: origin,
    _cross: origin != page.protocol + '//' + page.host,
    _path: parts[3] || '/',
    _query: parts[4].replace('?', '&')
  };
}

/**
 * The Socket of the namespace that url's path names ("https://host/chat?token=1" -> "/chat"), connecting unless
 * opts.autoConnect is false. Namespaces of one server share a connection, except with opts.forceNew or multiplex: false.
 */
function io(url, options) {
  var opts, target, key, manager;
  if (url && !url.charAt) { return io('', url); }
  opts = withDefaults(options);
  target = parseTarget(url, opts);
  key = target._origin + opts.path;
  manager = managers[key];
  if (opts.forceNew || opts.multiplex === false || manager && manager.nsps[target._path]) {
    manager = new Manager(url, opts);
  } else if (!manager) {
    manager = managers[key] = new Manager(url, opts);
  }
  return manager.socket(target._path, opts);
}

extend(io, { io: io, connect: io, Manager: Manager, Socket: Socket, protocol: 5, transports: ['websocket', 'polling', 'htmlfile', 'jsonp'] });

if (typeof module == 'object' && module.exports) {
  module.exports = io;
} else {
  global.io = global.anywire = io;
}

})(typeof self == 'object' ? self : globalThis);

const io = module.exports;
const { connect, Manager, Socket, protocol } = io;
export { io as default, io, connect, Manager, Socket, protocol };
