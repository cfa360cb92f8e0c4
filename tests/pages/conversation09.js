// socket.io-client 0.9 in a page. talk(URL) is the scripted conversation: what was heard ends up in `said`; `done` tells when.
var said = {}, done = false;

// The ActiveX object of IE's htmlfile transport, as far as the client uses it: a document of its own.
function pretendActiveX() {
  window.CollectGarbage = function () {};
  window.ActiveXObject = function () {
    var frame = document.createElement('iframe');
    document.body.appendChild(frame);
    frame.contentDocument.parentWindow = frame.contentWindow;
    return frame.contentDocument;
  };
}

// Opens a connection over one transport, and notes in heard[name] what happens to it.
var heard = {};
function watch(name, url) {
  io.transports = [name];
  var socket = io.connect(url, {'force new connection': true}), said = heard[name] = [];
  ['connect', 'connect_failed', 'disconnect', 'reconnecting', 'error', 'message'].forEach(function (event) {
    socket.on(event, function (what) { said.push(what === undefined ? event : event + ': ' + what); });
  });
  return socket;
}

function counted(numbers) {
  return numbers.length === 100 && numbers.every(function (number, index) { return number === index; });
}

function talk(url) {
  var a = io.connect(url), b = io.connect(url, {'force new connection': true});
  var rooms = [], numbers = [], messages = [], chat;
  function each(name, socket) {
    ['room', 'others', 'single'].forEach(function (event) {
      socket.on(event, function (text) { rooms.push([name, event, text].join()); });
    });
  }
  each('a', a);
  each('b', b);
  a.on('question', function (question, answer) { answer(question + '!', 7); });
  a.on('number', function (number) { numbers.push(number); });
  a.on('message', function (data) { messages.push(data); });
  var parts = [
    function (next) { said.transport = a.socket.transport.name; next(); },
    function (next) {
      a.emit('echo', 1, 'two', null, {three: [true, 1.5, 'é€😀']}, function () { said.echo = [].slice.call(arguments); next(); });
    },
    function (next) { a.emit('ask', 'how', function (answer) { said.ask = answer; next(); }); },
    function (next) {
      var odd = ['\u2028\u2029\n"\ufffd5\ufffd\\/<' + '/script>', 'a\\/b', '<' + '!--'];
      a.emit('echo', odd[0], odd[1], odd[2], function () { said.odd = [].slice.call(arguments).join('|') === odd.join('|'); next(); });
    },
    function (next) { a.emit('count', 100); a.emit('echo', next); },
    function (next) { said.counted = counted(numbers); next(); },
    function (next) {
      for (var i = 0; i < 100; i++) a.emit('collected', i);
      a.emit('seen', function (seen) { said.seen = counted(seen); next(); });
    },
    function (next) {
      var big = new Array(50001).join('é');
      a.emit('echo', big, function (text) { said.large = text === big; next(); });
    },
    function (next) {
      a.send('two\nlines "q" \\ & = +%');
      a.json.send({json: ['é']});
      a.send('acknowledged', function () { a.emit('echo', next); });
    },
    function (next) { said.messages = messages; a.emit('join', 'red', next); },
    function (next) { b.emit('join', 'red', next); },
    function (next) { a.emit('to room', 'red', 'both', next); },
    function (next) { b.emit('leave', 'red', next); },
    function (next) { a.emit('to room', 'red', 'only a', next); },
    function (next) { a.emit('others', 'only b', next); },
    function (next) { b.emit('whoami', function (id) { a.emit('single', id, 'for b', next); }); },
    function (next) { b.emit('echo', next); },
    function (next) { a.emit('echo', next); },
    function (next) { said.rooms = rooms.sort(); chat = a.of('/chat'); chat.once('connect', next); },
    function (next) { chat.emit('where', function (where) { said.namespace = where; next(); }); },
    // Once: the client tells every namespace when the whole connection ends.
    function (next) { chat.once('disconnect', function () { said.kickedFromChat = a.socket.connected; next(); }); chat.emit('kick'); },
    function (next) { a.emit('echo', 'here', function (text) { said.stillThere = text; next(); }); },
    function (next) { a.of('/guarded').once('connect_failed', function (why) { said.refused = why; next(); }); },
    function (next) { b.once('disconnect', function (why) { said.kicked = [why, b.socket.reconnecting]; next(); }); b.emit('kick'); },
    function (next) { a.once('disconnect', function (why) { said.left = why; next(); }); a.disconnect(); }
  ];
  function go() {
    var part = parts.shift();
    if (part) part(function () { setTimeout(go, 0); });
    else done = true;
  }
  var waiting = 2;
  function ready() { if (!--waiting) go(); }
  a.once('connect', ready);
  b.once('connect', ready);
}
