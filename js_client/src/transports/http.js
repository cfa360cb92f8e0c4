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
