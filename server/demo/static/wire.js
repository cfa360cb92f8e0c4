/*
 * The wire: every packet as it went over the transport, and buttons that change the transport.
 */
talk.wire = (function (page) {
  var wire = { choice: '', paused: false, received: 0, sent: 0 }, log = page.byId('log'), waiting = [], timer = 0,
    MOST_LINES = 200, MOST_CHARACTERS = 300,
    CHOICES = {
      auto: ['websocket', 'polling', 'htmlfile', 'jsonp'],
      websocket: ['websocket'],
      polling: ['polling'],
      jsonp: ['jsonp'],
      htmlfile: ['htmlfile'],
      upgrade: ['polling', 'websocket']
    };

  /** How many bytes a text is in UTF-8. */
  function size(text) {
    var bytes = text.length, n, code;
    for (n = 0; n < text.length; n++) {
      code = text.charCodeAt(n);
      // A surrogate is half of a character of four bytes.
      if (code > 0x7f) { bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1; }
    }
    return bytes;
  }

  function human(bytes) {
    return bytes < 1000 ? bytes + ' B' : bytes < 1e6 ? (bytes / 1e3).toFixed(1) + ' kB' : (bytes / 1e6).toFixed(1) + ' MB';
  }

  function time() {
    var date = new Date();
    return page.two(date.getMinutes()) + ':' + page.two(date.getSeconds()) + '.' + ('00' + date.getMilliseconds()).slice(-3);
  }

  var KINDS = { '<': 'in', '>': 'out', '=': 'start', '!': 'end' }, ARROWS = { '<': '↓', '>': '↑', '=': '→', '!': '×' };

  /** The client's debug hook: direction is < in, > out, = a transport starts, ! it ends. */
  wire.trace = function (direction, transport, text) {
    if (direction == '<') { wire.received += size(text); }
    if (direction == '>') { wire.sent += size(text); }
    if (!wire.paused) { waiting.push([direction, transport, text, time()]); }
    // Many packets at once are drawn together.
    timer = timer || setTimeout(draw, 60);
  };

  function draw() {
    var end = log.scrollHeight - log.scrollTop - log.clientHeight < 40, part = document.createDocumentFragment(), n, item, element;
    timer = 0;
    for (n = Math.max(0, waiting.length - MOST_LINES); n < waiting.length; n++) {
      item = waiting[n];
      element = page.make('div', KINDS[item[0]] || 'in');
      element.appendChild(page.make('i', '', item[3] + ' '));
      element.appendChild(page.make('b', '', (ARROWS[item[0]] || item[0]) + ' ' + item[1] + ' '));
      element.appendChild(document.createTextNode(cut(item[2])));
      part.appendChild(element);
    }
    waiting = [];
    log.appendChild(part);
    while (log.childNodes.length > MOST_LINES) { log.removeChild(log.firstChild); }
    if (end) { log.scrollTop = log.scrollHeight; }
    page.text(page.byId('bytes'), human(wire.received) + ' in, ' + human(wire.sent) + ' out');
  }

  /** A packet's text as one line; polling parts packets by a character that no screen shows. */
  function cut(text) {
    text = String(text);
    return (text.length > MOST_CHARACTERS ? text.substring(0, MOST_CHARACTERS) + '… (' + human(size(text)) + ')' : text).replace(/\x1e/g, ' ␞ ');
  }

  /** The transports of a choice. */
  wire.transports = function (choice) { return CHOICES[choice].slice(0); };

  wire.showChoice = function (choice) {
    wire.choice = choice;
    for (var name in CHOICES) { page.press(page.byId('use-' + name), name == choice); }
  };

  wire.showRoundTrip = function (ms) { page.text(page.byId('rtt'), ms === undefined ? '- ms' : ms + ' ms'); };

  /** change(choice) is called when another one is pressed. */
  wire.listen = function (change) {
    function listenTo(name) {
      page.listen(page.byId('use-' + name), 'click', function () {
        wire.showChoice(name);
        change(name);
      });
    }
    for (var name in CHOICES) { listenTo(name); }
  };

  page.listen(page.byId('pause'), 'click', function () {
    wire.paused = !wire.paused;
    page.press(page.byId('pause'), wire.paused);
    page.text(page.byId('pause'), wire.paused ? 'Go on' : 'Pause');
  });
  page.listen(page.byId('wipe'), 'click', function () {
    waiting = [];
    wire.received = wire.sent = 0;
    page.empty(log);
    draw();
  });
  wire.showChoice(CHOICES[page.argument('transport')] ? page.argument('transport') : 'auto');
  return wire;
})(talk);
