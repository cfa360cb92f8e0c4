/*
 * A page's side of the conversation, in ES3 for the oldest engine. CASE says what to do; the report goes to /report of the page's own server.
 * CASE: {name, url, options, steps: [names of functions below], seconds}. Kept, Pretended: see before.js.
 */

(function () {
  var report = { name: CASE.name, said: {}, errors: [], trace: [], disconnects: [] },
    began = time(), numbers = [], ended, socket, steps = CASE.steps.slice(0);

  function time() { return new Date().getTime(); }
  function since() { return (time() - began) / 1000; }
  function args(list) { return Array.prototype.slice.call(list); }
  function text(value) { return typeof value == 'string' ? value.slice(0, 60) : Object.prototype.toString.call(value); }

  window.onerror = function (message, file, line) { report.errors.push(message + ' at ' + file + ':' + line); };

  function end() {
    var xhr = new Kept.XMLHttpRequest();
    if (ended) { return; }
    ended = true;
    report.seconds = since();
    report.pretended = Pretended;
    report.transport = socket && socket.io.engine && socket.io.engine.transport && socket.io.engine.transport.name;
    if (socket) { socket.close(); }
    xhr.open('POST', '/report?name=' + encodeURIComponent(CASE.name), true);
    xhr.send(Kept.JSON.stringify(report));
    document.body.innerHTML = CASE.name + ' ' + report.seconds;
  }

  function next() {
    var name = steps.shift();
    if (!name) { return end(); }
    report.step = name;
    STEPS[name](function (value) {
      report.said[name] = value;
      next();
    });
  }

  function bytes(list) {
    var array = new Uint8Array(list.length), i;
    for (i = 0; i < list.length; i++) { array[i] = list[i]; }
    return array.buffer;
  }

  /** Binary as {hex: "00ff"}, so that JSON can say it. */
  function plain(value) {
    var result, key, i, view;
    if (value && typeof value == 'object' && /Buffer|Array\]/.test(Object.prototype.toString.call(value)) && !(value instanceof Array)) {
      view = new Uint8Array(value);
      result = '';
      for (i = 0; i < view.length; i++) { result += (view[i] < 16 ? '0' : '') + view[i].toString(16); }
      return { hex: result };
    }
    if (!value || typeof value != 'object') { return value; }
    result = value instanceof Array ? [] : {};
    for (key in value) { if (value.hasOwnProperty(key)) { result[key] = plain(value[key]); } }
    return result;
  }

  var NASTY = ['</script>', '</SCRIPT >', '<script>alert(1)</script>', '<!--', '<!--<script>', '-->', ']]>', '<![CDATA[', '<', '>', '&lt;&amp;&#x3c;&', '\u2028', '\u2029',
    '"', "'", '`${x}`', '\\', '\\\\', '\\n', '\\u003c', '\n', '\r', '\r\n', '\t', '\u0000', '\u0001\u001f', '\u007f\u0080\u0085\u009f', '\ufeff', 'a\ufeffb',
    '\u001e', '\ufffe\uffff\ufdd0', '\u200f\u202e', '\ud83d\ude00', '%', '%2B+%20', '+', ';', '=', '  two  ', '', '__proto__!', '-1'];

  var STEPS = {
    echo: function (done) {
      socket.emit('echo', 1, 'two', null, { three: [true, 1.5, 'é€😀'] }, function () { done(args(arguments)); });
    },
    ask: function (done) {
      socket.emit('ask', 'how', done);
    },
    unicode: function (done) {
      var sent = 'é€😀 \u2028\u2029\u0000\u001e\r\n\\n\\\\n \'"&<\/script>%2B+';
      socket.emit('echo', sent, function (back) { done(back === sent ? true : back); });
    },
    /** What a parser of HTML, of scripts, of forms or of UTF-8 may take for something else; as values, as keys, and all in one. */
    nasty: function (done) {
      var wrong = [], left = NASTY.length + 1;
      function ask(sent, wanted) {
        var both = {};
        both[sent] = [sent];
        socket.emit('echo', both, sent, function (back, plain) {
          if (plain !== wanted || !back[wanted] || back[wanted][0] !== wanted) { wrong.push(escape(sent) + ' -> ' + escape(plain)); }
          if (!--left) { done(wrong); }
        });
      }
      for (var i = 0; i < NASTY.length; i++) { ask(NASTY[i], NASTY[i]); }
      ask(NASTY.join(''), NASTY.join(''));
    },
    /** Half a character has no UTF-8: the other side hears a sign for what is missing, and everything else goes on. */
    halves: function (done) {
      socket.emit('echo', 'a\ud83db\ude00c', function (back) {
        socket.emit('echo', 'next', function (next) { done([back.replace(/\ufffd+/g, '?'), next]); });
      });
    },
    count: function (done) {
      var id = setInterval(function () {
        if (numbers.length < 200) { return; }
        clearInterval(id);
        done(inOrder(numbers, 200));
      }, 10);
      socket.emit('count', 200);
    },
    collect: function (done) {
      for (var i = 0; i < 200; i++) { socket.emit('collected', i); }
      socket.emit('seen', function (seen) { done(inOrder(seen, 200)); });
    },
    large: function (done) {
      var sent = new Array(50001).join('é');
      socket.emit('echo', sent, function (back) { done(back === sent ? back.length : text(back)); });
    },
    binary: function (done) {
      if (!window.Uint8Array) { return done('none'); }
      socket.emit('echo', bytes([1, 2, 255]), { deep: [bytes([]), 'text'] }, function () { done(plain(args(arguments))); });
    },
    /** The network kills every connection; the client comes back by itself. (Firefox asks again for what a killed poll waited for.) */
    reconnect: function (done) {
      function again() {
        socket.timeout(1500).emit('echo', 1, 'two', null, { three: [true, 1.5, 'é€😀'] }, function (error) {
          if (error) { again(); } else { done(args(arguments).slice(1)); }
        });
      }
      socket.emit('kill', CASE.name);
      setTimeout(again, 300);
    },
    /** Numbers both ways, a few at once and a few at a time. */
    stream: function (done) {
      var sent = 0;
      socket.emit('stream', CASE.name);
      (function send() {
        for (var i = 0; i < 5; i++) { socket.emit('streamed', CASE.name, sent++); }
        if (sent < 40) { return setTimeout(send, 60); }
        (function look() {
          if (numbers.length < 40 && since() < CASE.seconds) { return setTimeout(look, 20); }
          socket.emit('streamed so far', CASE.name, function (seen) { done([numbers, seen]); });
        })();
      })();
    },
    /** As stream, but each number is said again until it is answered, for networks that cut what is on its way. */
    insist: function (done) {
      (function say(number) {
        if (number == 15) {
          // The answer to this may be cut as well.
          return socket.timeout(700).emit('streamed so far', CASE.name, function (error, seen) {
            if (error) { setTimeout(function () { say(number); }, 100); } else { done(seen); }
          });
        }
        socket.timeout(700).emit('streamed', CASE.name, number, function (error) {
          setTimeout(function () { say(error ? number : number + 1); }, 100);
        });
      })(0);
    },
    /** Nothing is said for a while. */
    rest: function (done) {
      setTimeout(function () { done(report.disconnects.length); }, CASE.rest * 1000);
    }
  };

  function inOrder(list, total) {
    for (var i = 0; i < total; i++) { if (list[i] !== i) { return list; } }
    return list.length;
  }

  CASE.options.debug = function (direction, transport, data) {
    report.trace.push(since().toFixed(3) + ' ' + direction + ' ' + transport + ' ' + text(data));
    if (report.trace.length > 400) { report.trace.splice(200, 1); }
  };

  function start() {
    began = time();
    socket = io(CASE.url, CASE.options);
    socket.on('number', function (number) { numbers.push(number); });
    socket.on('question', function (question, answer) { answer(question + '!'); });
    socket.on('connect_error', function (error) {
      report.errors.push(error.message);
      if (CASE.fails) { end(); }
    });
    socket.on('disconnect', function (reason) { report.disconnects.push(reason); });
    socket.once('connect', function () {
      report.connected = since();
      next();
    });
    setTimeout(function () {
      if (!ended) { report.errors.push('not done within ' + CASE.seconds + ' seconds'); }
      end();
    }, CASE.seconds * 1000);
  }

  if (CASE.early) {
    start();
  } else if (window.addEventListener) {
    // After the load event: what other frames still fetch would count for this one.
    window.addEventListener('load', function () { setTimeout(start, 1); }, false);
  } else {
    window.attachEvent('onload', start);
  }
})();
