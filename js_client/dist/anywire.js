/*! anywire 0.1.0 | MIT */
(function (global) {
'use strict';

// ---- emitter.js

/*
 * Emitter: listeners by event name, mixed into the connection, the Manager and the Socket.
 * A listener that throws neither stops the others nor breaks the session: its error goes to the page's own error handler.
 */

var hasOwn = {}.hasOwnProperty;

/** Copies own enumerable properties of source onto target. */
function extend(target, source) {
  for (var key in source) {
    if (hasOwn.call(source, key)) { target[key] = source[key]; }
  }
  return target;
}

/** A real array of an arguments object or array. */
function slice(list) {
  return [].slice.call(list);
}

/** The list without item; empty if there is no item. */
function without(list, item) {
  var kept = [], i;
  for (i = 0; item && i < list.length; i++) {
    if (list[i] !== item && list[i]._of !== item) { kept.push(list[i]); }
  }
  return kept;
}

/** Calls each function with the array args; what it throws is thrown again from a timer, where only window.onerror sees it. */
function callAll(functions, self, args) {
  for (var i = 0; i < functions.length; i++) {
    try {
      functions[i].apply(self, args || []);
    } catch (error) { rethrow(error); }
  }
}

function rethrow(error) {
  setTimeout(function () { throw error; }, 0);
}

/** `_on`: '$' + event name -> listeners (the prefix keeps 'constructor' and '__proto__' harmless). */
var Emitter = {
  on: function (name, listener) {
    var all = this._on = this._on || {};
    (all['$' + name] = all['$' + name] || []).push(listener);
    return this;
  },

  once: function (name, listener) {
    var self = this;
    function only() {
      self.off(name, only);
      listener.apply(self, arguments);
    }
    only._of = listener;
    return self.on(name, only);
  },

  /** off() removes all listeners, off(name) all of that event, off(name, listener) that one, also if added by once. */
  off: function (name, listener) {
    if (!name) {
      this._on = {};
    } else if (this._on) {
      this._on['$' + name] = without(this.listeners(name), listener);
    }
    return this;
  },

  listeners: function (name) {
    return slice(this._on && this._on['$' + name] || []);
  },

  /** Calls the listeners that are there now, in order, with the array args. */
  _fire: function (name, args) {
    callAll(this.listeners(name), this, args);
  }
};

// ---- backoff.js

/*
 * Back-off: how long to wait before the next attempt to reconnect. Pure: the caller gives the random number.
 */

/**
 * Milliseconds before attempt number `attempt` (0 is the first): min * 2^attempt, at most max, spread by +-factor (0..1).
 * The spread stays below max, but is as wide there as anywhere: cut off instead, half of all clients of a restarted
 * server would come back in the very same millisecond. `random` is in [0, 1).
 */
function backoff(attempt, min, max, factor, random) {
  var middle = Math.min(max, min * Math.pow(2, attempt)),
    low = middle * (1 - factor);
  return Math.round(low + random * (Math.min(max, middle * (1 + factor)) - low));
}

// ---- json.js

/*
 * JSON: the browser's own where there is one (all but Internet Explorer 6 and 7), else a small reader and writer.
 * The reader never evaluates text: it cuts it into tokens and walks them.
 */

var nativeJson = global.JSON,
  // RFC 8259: punctuation, a string, a number or a literal name. A string's plain runs and its escapes alternate.
  JSON_TOKEN = /[\[\]{}:,]|"[^"\\\x00-\x1f]*(?:\\(?:["\\\/bfnrt]|u[\da-fA-F]{4})[^"\\\x00-\x1f]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/g,
  JSON_ESCAPES = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' },
  JSON_LITERALS = { 'true': true, 'false': false, 'null': null };

/** The value that text says; throws an Error if it is not JSON. */
function parseJson(text) {
  return nativeJson ? nativeJson.parse(text) : readJson(text);
}

/** JSON of value; `replacer` works only with the browser's own JSON (engines without it have no binary to replace). */
function toJson(value, replacer) {
  return nativeJson ? nativeJson.stringify(value, replacer) : writeJson(value);
}

function readJson(text) {
  var tokens = text.match(JSON_TOKEN) || [], at = 0, result;

  function expect(right) {
    if (!right) { throw new Error('invalid JSON'); }
  }

  function take(pattern) {
    expect(pattern.test(tokens[at] || ''));
    return tokens[at++];
  }

  function string() {
    return take(/^"/).slice(1, -1).replace(/\\(u(....)|.)/g, function (all, escape, hex) {
      return hex ? String.fromCharCode(parseInt(hex, 16)) : JSON_ESCAPES[escape] || escape;
    });
  }

  /** Calls member for each member up to the bracket `close`. */
  function members(close, member) {
    if (tokens[at] == close) { return at++; }
    do { member(); } while (take(/^[,}\]]/) == ',');
    expect(tokens[at - 1] == close);
  }

  function value() {
    var token = tokens[at], made = token == '[' ? [] : {};
    if (/^"/.test(token)) { return string(); }
    take(/^[^\]}:,]/);
    if (token == '[') {
      members(']', function () { made.push(value()); });
    } else if (token == '{') {
      members('}', function () {
        var key = string();
        take(/^:/);
        made[key] = value();
      });
    } else {
      made = hasOwn.call(JSON_LITERALS, token) ? JSON_LITERALS[token] : +token;
    }
    return made;
  }

  result = value();
  // What is left when the tokens are taken away may only be white space.
  expect(at == tokens.length && !/[^ \t\r\n]/.test(text.replace(JSON_TOKEN, '')));
  return result;
}

/** undefined for what JSON leaves out (functions, undefined), as JSON.stringify. */
function writeJson(value) {
  var parts = [], type = typeof value, key, part;
  if (value && value.toJSON) { return writeJson(value.toJSON()); }
  if (type == 'string') {
    return '"' + value.replace(/[^ !#-\[\]-~]/g, function (c) {
      return '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4);
    }) + '"';
  }
  if (/^[uf]/.test(type)) { return; }
  if (type != 'object' || !value) { return isFinite(value) ? '' + value : 'null'; }
  if (classOf(value) == 'Array') {
    for (key = 0; key < value.length; key++) { parts.push(writeJson(value[key]) || 'null'); }
    return '[' + parts + ']';
  }
  for (key in value) {
    if (hasOwn.call(value, key) && (part = writeJson(value[key]))) { parts.push(writeJson(key) + ':' + part); }
  }
  return '{' + parts + '}';
}

// ---- codec.js

/*
 * The wire: Engine.IO 4 payloads and Socket.IO 5 packets, strings and ArrayBuffers in, values out.
 * https://github.com/socketio/engine.io-protocol (revision 4), https://github.com/socketio/socket.io-protocol (revision 5)
 */

var SEPARATOR = '\x1e',
  CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3,
  // Names that only the library itself may give to an event (socket.io-parser 4.2, RESERVED_EVENTS).
  RESERVED = /^(?:connect|connect_error|disconnect|disconnecting|newListener|removeListener)$/;

/** "Array", "Blob", "Uint8Array"... */
function classOf(value) {
  return {}.toString.call(value).slice(8, -1);
}

function isBlob(value) {
  return /^(?:Blob|File)$/.test(classOf(value));
}

/** ArrayBuffer, typed array, DataView, Blob or File; Node's Buffer is a Uint8Array. */
function isBinary(value) {
  return /Buffer$|.Array$|^DataView$/.test(classOf(value)) || isBlob(value);
}

/** 'b' + base64 of an ArrayBuffer or a view of one: binary on a carrier of text (engine.io-protocol, "HTTP long-polling"). */
function binaryToText(value) {
  var bytes = value.buffer ? new global.Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new global.Uint8Array(value),
    text = '', i;
  // In slices: fromCharCode takes as many arguments as the stack has room for.
  for (i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192));
  }
  return 'b' + global.btoa(text);
}

/** The ArrayBuffer in 'b' + base64; where there is none (Internet Explorer 9 and older), {base64: true, data: text}. */
function textToBinary(text) {
  var raw, bytes, i;
  text = text.slice(1);
  if (!global.Uint8Array) { return { base64: true, data: text }; }
  raw = global.atob(text);
  bytes = new global.Uint8Array(raw.length);
  for (i = 0; i < raw.length; i++) { bytes[i] = raw.charCodeAt(i); }
  return bytes.buffer;
}

/**
 * A Socket.IO packet as messages: a string, then its attachments.
 * <type>[<attachments>-][<namespace>,][<ack id>][JSON]; binary values become {"_placeholder":true,"num":index}.
 * Throws what JSON throws (a cyclic structure).
 */
function encodePacket(type, nsp, id, data) {
  var messages = [''],
    json = data === undefined ? '' : toJson(data, function (key, value) {
      var raw = this[key];  // value has gone through toJSON already, which Node's Buffer has
      return isBinary(raw) ? { '_placeholder': true, num: messages.push(raw) - 2 } : value;
    });
  messages[0] = (messages.length > 1 ? type + 3 + '' + (messages.length - 1) + '-' : type) +
    (nsp == '/' ? '' : nsp + ',') + (id === undefined ? '' : id) + json;
  return messages;
}

/** Puts attachments back into data; throws if a placeholder names none. */
function restore(data, attachments) {
  var key;
  if (data && typeof data == 'object') {
    if (data['_placeholder'] === true) {
      if (typeof data.num != 'number' || !(data.num in attachments)) { throw invalid(); }
      return attachments[data.num];
    }
    for (key in data) {
      if (hasOwn.call(data, key)) { data[key] = restore(data[key], attachments); }
    }
  }
  return data;
}

function invalid() {
  return new Error('invalid packet');
}

/** Reads one text message; throws an Error if it is not a packet. `need` is the number of attachments that follow. */
function decodePacket(text) {
  // Internet Explorer 6-8 give '' for a group that took no part, others undefined.
  var match = /^(?:([0-4])|([56])(\d+)-)(?:(\/[^,]*)(?:,|$))?(\d+)?([\s\S]*)$/.exec(text) || [],
    type = match[2] ? match[2] - 3 : match[1],
    json = match[6],
    data = json ? parseJson(json) : undefined;
  // CONNECT carries an object or nothing, EVENT and ACK an array, CONNECT_ERROR an object (or the bare text of older servers).
  if (!/^(?:0\{?|1|[23]\[|4[{"])$/.test(type + (json || '').charAt(0)) ||
      (type == EVENT && (!/^(?:number|string)$/.test(typeof data[0]) || RESERVED.test(data[0])))) {
    throw invalid();
  }
  return { type: +type, nsp: match[4] || '/', id: match[5] ? +match[5] : undefined, data: data, need: match[3] || 0 };
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
    waiting = attachments.length < packet.need && packet;
    if (waiting) { return; }
    packet.data = restore(packet.data, attachments);
    return packet;
  };
}

// ---- dom.js

/*
 * Page furniture of the transports that have to use it: scripts, hidden iframes, forms.
 */

var doc = global.document, domCount = 0;

function listen(target, name, listener) {
  if (target.addEventListener) {
    target.addEventListener(name, listener, false);
  } else if (target.attachEvent) {
    target.attachEvent('on' + name, listener);
  }
}

function removeNode(node) {
  if (node && node.parentNode) { node.parentNode.removeChild(node); }
}

/** Removes node a moment later: a browser may still be in the midst of an event of it. */
function discard(node) {
  setTimeout(function () { removeNode(node); }, 1);
}

/**
 * Calls fn once the page's load event is over: a script or iframe started earlier holds the event back, and the browser
 * shows itself loading, for as long as it streams (every engine; measured). Returns a function that calls it off.
 */
function afterLoad(fn) {
  function later() {
    setTimeout(function () { fn(); }, 1);
  }
  // Firefox 3.5 and older have no readyState; the body is the best sign there.
  if (doc.readyState ? doc.readyState == 'complete' : doc.body) {
    later();
  } else {
    listen(global, 'load', later);
  }
  return function () { fn = noop; };
}

/** Keeps fn callable by the server's scripts as global[table][index]; returns the index. Engine.IO calls ___eio[index]. */
function exposeCallback(table, fn) {
  return (global[table] = global[table] || []).push(fn) - 1;
}

/** Loads a script; loaded() is called when it ran or failed (in KHTML never when it failed). */
function addScript(url, loaded) {
  var script = doc.createElement('script');
  script.onload = script.onerror = loaded;
  // Internet Explorer 6-8 know no onload, and tell the end of success and failure alike.
  script.onreadystatechange = function () {
    if (/loaded|complete/.test(script.readyState)) { loaded(); }
  };
  script.src = url;
  doc.getElementsByTagName('head')[0].appendChild(script);
  return script;
}

/** A hidden iframe, in `page` if given; one per use: a second load in the same one adds to the browser's history. */
function addFrame(name, url, page) {
  var frame;
  page = page || doc;
  try {
    // Internet Explorer 6 and 7 take a frame's name only here; everything else throws or ignores it.
    frame = page.createElement('<iframe name="' + name + '">');
  } catch (ignore) {
    frame = page.createElement('iframe');
    frame.name = name;
  }
  frame.style.display = 'none';
  if (url) { frame.src = url; }
  page.body.appendChild(frame);
  return frame;
}

/**
 * POSTs `d=<text>` by a form; done(error) once the answer is there. Engine.IO's JSONP transport sends this way.
 * A form turns a newline into CR LF, so a newline goes as backslash n, and a backslash n as two backslashes and n.
 */
function postForm(url, text, done) {
  var name = 'anywire' + domCount++,
    frame = addFrame(name),
    form = doc.createElement('form'),
    area = doc.createElement('textarea');

  function ended() {
    var answer = 'ok';
    try {
      // Firefox also tells the load of the empty frame.
      if (frame.contentWindow.location.href == 'about:blank') { return; }
      answer = frame.contentWindow.document.body.innerHTML;
    } catch (ignore) { /* another origin: its answer cannot be read, and the poll will tell */ }
    // Not in the event: Firefox would go on "loading".
    discard(frame);
    discard(form);
    done(/^\s*ok\s*$/i.test(answer) ? '' : 'form post error');
    done = noop;
  }

  form.style.display = 'none';
  form.method = 'POST';
  form.action = url;
  form.target = name;
  form.acceptCharset = 'utf-8';
  area.name = 'd';
  area.value = text.replace(/\\n/g, '\\\\n').replace(/\n/g, '\\n');
  form.appendChild(area);
  doc.body.appendChild(form);
  listen(frame, 'load', ended);
  form.submit();
}

// ---- xhr.js

/*
 * One HTTP request by script: XMLHttpRequest, ActiveX in Internet Explorer 6, XDomainRequest across origins in 8 and 9.
 */

function noop() {}

/** Whether a request to route has to be an XDomainRequest. */
function needsXdr(route) {
  return route.cross && !(global.XMLHttpRequest && 'withCredentials' in new global.XMLHttpRequest());
}

/** A request object that can reach route; throws or returns nothing where there is none. */
function newXhr(route) {
  if (needsXdr(route)) {
    // It may not leave the page's scheme.
    return route.sameScheme && global.XDomainRequest && new global.XDomainRequest();
  }
  return global.XMLHttpRequest ? new global.XMLHttpRequest() : new global.ActiveXObject('Microsoft.XMLHTTP');
}

/** GETs, or POSTs body if there is one; done(error, text). Returns a function that aborts it, and has no effect after its end. */
function request(route, body, done) {
  var xhr = newXhr(route), method = body ? 'POST' : 'GET';

  function finish(error) {
    var text = '';
    try { text = xhr.responseText || ''; } catch (ignore) { /* Internet Explorer 9, after a failure */ }
    done(error && error + ' ' + text.slice(0, 200), text);
  }

  if (needsXdr(route)) {
    xhr.onload = function () { finish(''); };
    xhr.onerror = xhr.ontimeout = function () { finish('network error'); };
    xhr.onprogress = noop;  // Internet Explorer 9 aborts a request without one
    xhr.open(method, route.url());
  } else {
    xhr.open(method, route.url(), true);
    if (body) { xhr.setRequestHeader('Content-Type', 'text/plain;charset=UTF-8'); }
    if (route.cross && route.withCredentials) { xhr.withCredentials = true; }
    xhr.onreadystatechange = function () {
      var status = 0;
      if (xhr.readyState == 4) {
        try { status = xhr.status; } catch (ignore) { /* Firefox 3, after a failure */ }
        xhr.onreadystatechange = noop;  // Internet Explorer leaks a request that keeps its listener, and 6 takes no null
        finish(status == 200 ? '' : status ? 'HTTP ' + status : 'network error');
      }
    };
  }
  xhr.send(body || null);
  return function () {
    if (!needsXdr(route)) { xhr.onreadystatechange = noop; }
    xhr.abort();
  };
}

// ---- transports/http.js

/*
 * What polling, JSONP and htmlfile share: they read by one GET after the other and write by one POST after the other.
 */

/**
 * A transport out of two functions:
 *   get(done, transport)  starts a GET; done(error, payload) when it ended; returns a function that clears it away, ended or not
 *   post(text, done)      sends a payload; done(error) when the server has it
 * An error is a text, none is ''.
 */
function httpTransport(route, get, post) {
  var queue = [], posting, abort, ended = noop, paused, over, self = {
    send: function (packet) {
      queue.push(typeof packet == 'string' ? packet : binaryToText(packet));
      write();
    },

    /** Sends what waits and Engine.IO's close packet, then ends the GET: ended first, the server would take the session for lost. */
    close: function () {
      if (over) { return; }
      over = true;
      if (route.sid && !self.moved) { self.send('1'); }
      settle();
    },

    idle: function () { return !posting; },

    pause: function (done) {
      paused = done;
      settle();
    },

    resume: function () {
      paused = 0;
      if (!abort && !over) { read(); }
    },

    /** Takes a packet. A noop ends a paused stream: the server sends it before an upgrade, and nothing behind it. */
    hear: function (packet) {
      if (self.onmessage) { self.onmessage({ data: packet }); }
      if (paused && packet == '6') { ended(''); }
    }
  };

  function read() {
    function done(error, payload) {
      var packets = payload ? payload.split(SEPARATOR) : [], i;
      if (done !== ended) { return; }
      stop();
      if (error) { return lost(error); }
      if (payload) { route.trace('<', payload); }
      for (i = 0; i < packets.length; i++) { self.hear(packets[i]); }
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
    var text;
    if (posting || !queue.length) { return; }
    text = batch();
    posting = true;
    route.trace('>', text);
    post(text, function (error) {
      posting = false;
      if (error) { return lost(error); }
      write();
      settle();
    });
  }

  /** As many packets as one body may hold by the server's maxPayload; one larger packet goes alone, to be refused there. */
  function batch() {
    var count = 0, size = 0;
    do {
      size += queue[count].length + 1;
      // 9: the most that one character takes in a form (%E2%82%AC).
    } while (++count < queue.length && (size + queue[count].length) * 9 < route.maxPayload);
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
    var tell = !over && self.onclose;
    queue = [];
    over = true;
    stop();
    if (tell) { tell({ reason: reason }); }
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

// ---- transports/websocket.js

/*
 * WebSocket: the browser's own, one message a packet. The other transports imitate it.
 */

function nativeWebSocket() {
  return global.WebSocket || global.MozWebSocket;  // Firefox 6-10
}

var websocket = {
  usable: nativeWebSocket,

  open: function (route) {
    var Native = nativeWebSocket(), socket = new Native(route.url().replace(/^http/, 'ws')), self = {
      binary: true,

      send: function (packet) {
        route.trace('>', packet);
        socket.send(packet);
      },

      close: function () { socket.close(); },

      idle: function () { return !socket.bufferedAmount; }
    };

    socket.binaryType = 'arraybuffer';
    socket.onopen = function () {
      if (self.onopen) { self.onopen(); }
    };
    socket.onmessage = function (event) {
      route.trace('<', event.data);
      if (self.onmessage) { self.onmessage(event); }
    };
    // onerror says nothing that onclose does not.
    socket.onclose = function (event) {
      if (self.onclose) { self.onclose({ reason: 'closed ' + (event.code || '') }); }
    };
    return self;
  }
};

// ---- transports/polling.js

/*
 * XHR long-polling: the server holds each GET until it has packets.
 */

/** POSTs a payload by XHR; done(error). */
function postByXhr(route) {
  return function (text, done) {
    request(route, text, function (error, answer) {
      // The servers differ in their "ok", but none answers with a page: that is somebody in between.
      done(error || (/^\s*</.test(answer) ? 'HTML for an answer' : ''));
    });
  };
}

var polling = {
  usable: function (route) {
    try { return newXhr(route); } catch (noActiveX) { /* switched off by the user */ }
  },

  open: function (route) {
    return httpTransport(route, function (done) {
      return request(route, '', function (error, text) {
        done(error || (text ? '' : 'empty answer'), text);
      });
    }, postByXhr(route));
  }
};

// ---- transports/jsonp.js

/*
 * JSONP polling: each GET is a script that calls ___eio[j]("payload"); the POST is a form. Needs nothing but a DOM.
 */

var jsonp = {
  usable: function () { return doc; },

  open: function (route) {
    var take = noop;
    route.params.transport = 'polling';
    route.params.j = exposeCallback('___eio', function (payload) { take('', payload); });

    return httpTransport(route, function (done) {
      var script, cancel = afterLoad(function () {
        script = addScript(route.url(), function () {
          // Internet Explorer may say "loaded" a moment before it runs the script.
          setTimeout(function () { done('script did not call'); }, 100);
        });
      });
      take = done;
      return function () {
        take = noop;  // a script that was removed may still run, and call
        cancel();
        discard(script);
      };
    }, function (text, done) { postForm(route.url(), text, done); });
  }
};

// ---- transports/htmlfile.js

/*
 * htmlfile: a hidden iframe whose document never ends; each script in it calls parent.anywire_htmlfile[i]("packet").
 * In old Internet Explorer the iframe lives in an ActiveX document, so that it neither clicks nor shows a page that loads.
 * Needs the page's own origin. Sends by POST, as polling does.
 */

var htmlfile = {
  usable: function (route) { return doc && !route.cross; },

  open: function (route) {
    var take = noop;
    route.params.i = exposeCallback('anywire_htmlfile', function (packet) { take(packet); });

    return httpTransport(route, function (done, transport) {
      var frame, page, heard, cancel = afterLoad(function () {
        page = activeDocument();
        frame = addFrame('', route.url(), page);
        listen(frame, 'load', function () { done(heard ? '' : 'stream ended'); });
      });

      take = function (packet) {
        heard = true;
        route.trace('<', packet);
        tidy(frame);
        transport.hear(packet);
      };
      return function () {
        take = noop;
        cancel();
        // Internet Explorer keeps the connection of a frame that was only removed.
        if (page) { frame.src = 'about:blank'; }
        discard(frame);
        page = 0;
      };
    }, postByXhr(route));
  }
};

/** An ActiveX document whose frames find our callbacks in their parent; undefined elsewhere. */
function activeDocument() {
  var page;
  try {
    page = new global.ActiveXObject('htmlfile');
    page.open();
    page.write('<html></html>');
    page.close();
    page.parentWindow.anywire_htmlfile = global.anywire_htmlfile;
    // Without this, Internet Explorer would keep the connection when the page goes.
    listen(global, 'unload', function () {
      page = 0;
      global.CollectGarbage();
    });
  } catch (ignore) { /* every other browser */ }
  return page;
}

/** Takes the script that just ran out of the endless document, which would grow for hours. */
function tidy(frame) {
  try {
    var scripts = frame.contentWindow.document.getElementsByTagName('script');
    if (scripts.length > 1) { removeNode(scripts[scripts.length - 1]); }
  } catch (ignore) { /* no access: it grows */ }
}

// ---- transports/registry.js

/*
 * The transports, in the order in which they are tried. One line adds one.
 *
 * Each says
 *   usable(route)  whether it can work in this browser and towards this server
 *   open(route)    starts one, which imitates a WebSocket: onopen(), onmessage({data}), onclose({reason}), send(packet), close(),
 *                  all of them called later, never from within open(); it may throw. Beyond that,
 *     binary         whether send takes an ArrayBuffer, a typed array or a Blob as it is
 *     idle()         whether a packet given now would go out now
 *     pause(done)    (if another transport can take over) ends reading and writing; done() when no request is under way
 *     resume()       takes pause back
 *     moved          set when another transport has taken over: close() must not close the session
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

// ---- client.js

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

// ---- main.js

/*
 * The way out: CommonJS, or the globals `io` and `anywire`.
 */

if (typeof module == 'object' && module.exports) {
  module.exports = io;
} else {
  global.io = global.anywire = io;
}

})(typeof self == 'object' ? self : global);
