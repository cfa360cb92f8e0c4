/*
 * What js_client/src/transports/registry.js promises of every transport, asked of the one that the case names, in ES3 for the oldest engine.
 * CASE: see conversation.js, with one name in options.transports. INSIDE, and what ask() may ask: see contract_stage.py.
 * Nothing here knows one transport from another but by what it says of itself (_binary, _pause) and by what it refuses to do.
 */

(function () {
  var report = { name: CASE.name, said: {}, errors: [], silent: [], seconds: {} }, TRANSPORTS = INSIDE.TRANSPORTS,
    name = CASE.options.transports[0], real = TRANSPORTS[name], promises = [], made = [], current, failing, maxPayload;

  /** Milliseconds in which whatever is to happen has happened. */
  var MOST = 8000;

  function time() { return new Date().getTime(); }
  function after(ms, fn) { setTimeout(guarded(fn), ms); }

  /** fn, whose errors fail the promise that is being tested. */
  function guarded(fn) {
    var then = failing;
    return function () {
      try {
        if (then === failing) { fn.apply(null, arguments); }
      } catch (error) {
        then(error.message || String(error));
      }
    };
  }

  function check(truth, what) {
    if (!truth) { throw new Error(what); }
  }

  function equal(is, should, what) {
    var a = Kept.JSON.stringify(is), b = Kept.JSON.stringify(should);
    check(a === b, (what || '') + ' is ' + String(a).slice(0, 300) + ', should be ' + String(b).slice(0, 300));
  }

  /** To be asked at each look whether it is too late: so many milliseconds have passed, and the page has had its turns since; a busy machine
   * may let a process stand still for ten seconds, and what came meanwhile is taken after the timers. */
  function deadline(most, turns) {
    var began = time();
    return function () { return time() - began > most && turns-- < 0; };
  }

  /** Waits until fn() is true, for so many milliseconds at most. */
  function until(fn, what, then, most) {
    var late = deadline(most || MOST, 100);
    (function look() {
      if (fn()) { return then(); }
      check(!late(), 'never: ' + what);
      after(10, look);
    })();
  }

  /** Asks the stage; done(answer). */
  function ask(args, done) {
    var xhr = new Kept.XMLHttpRequest(), then = guarded(done);
    xhr.open('POST', '/ask?name=' + encodeURIComponent(CASE.name), true);
    xhr.onreadystatechange = function () {
      if (xhr.readyState != 4) { return; }
      if (xhr.status == 200) { return then(Kept.JSON.parse(xhr.responseText)); }
      // On a busy machine what is killed may be the answer to this, too.
      if (args[0] == 'kill' && !xhr.status) { return then(); }
      failing('the stage could not ' + args.join(' '));
    };
    xhr.send(Kept.JSON.stringify(args));
  }

  /** Asks for what the server knows of a session until it is as wanted. */
  function untilSession(one, fn, what, then) {
    var late = deadline(MOST, 50);
    (function look() {
      ask(['session', one.sid], function (session) {
        if (session && fn(session)) { return then(session); }
        check(!late(), 'never: ' + what + ', but ' + Kept.JSON.stringify(session).slice(0, 300));
        after(20, look);
      });
    })();
  }

  /** Waits until nothing was asked for half a second; a goodbye may come late, from a browser that has much to do. */
  function untilQuiet(then) {
    var late = deadline(MOST, 5);
    (function look(before) {
      ask(['requests'], function (number) {
        if (number === before) { return then(); }
        check(!late(), 'never: nothing more is asked');
        after(500, function () { look(number); });
      });
    })();
  }

  /** The route that the client itself makes for a transport. */
  function look(done) {
    var opts = INSIDE.withDefaults(CASE.options), route, connection;
    TRANSPORTS[name] = function (given) {
      route = given;
      throw new Error('only a look');
    };
    connection = INSIDE.connect(INSIDE.parseTarget(CASE.url, opts), opts, [name], 1000, false);
    connection.onclose = guarded(function () {
      TRANSPORTS[name] = real;
      done(route);
    });
  }

  /**
   * A transport on its way and all that it says, in `one`: {transport, route, sid, opens, heard, ends}. As the connection does, it
   * gives the handshake's id and limit to the route, answers a ping, and ends what says no packet. then(one) once it is made.
   */
  function begin(then) {
    look(function (route) {
      var one = { route: route, opens: 0, heard: [], ends: [], handshakes: [], silenced: false }, transport = one.transport = real(route);
      made.push(one);
      transport.onopen = function () { one.opens++; };
      transport.onclose = function (event) {
        one.ends.push(event.reason || event.code);
      };
      transport.onmessage = function (event) {
        var packet = event.data;
        if (packet.charAt && !/^[0-6b]/.test(packet)) {
          one.ends.push('no packet');
          return silence(one);
        }
        if (packet == '6' && one.sid) { return; }
        if (packet == '2') { return transport.send('3'); }
        if (packet.charAt && packet.charAt(0) == '0' && !one.sid) {
          one.handshakes.push(one.heard.length);
          one.handshake = Kept.JSON.parse(packet.slice(1));
          one.sid = route._params.sid = one.handshake.sid;
          maxPayload = route._maxPayload = one.handshake.maxPayload;
        } else {
          one.heard.push(packet);
        }
      };
      then(one);
    });
  }

  /** A transport whose session is there. */
  function session(then) {
    begin(function (one) {
      until(function () { return one.sid; }, 'a handshake', function () { then(one); });
    });
  }

  /** A session over a transport that has carried something both ways; the end of it is a failure unless it is expected. */
  function working(then) {
    session(function (one) {
      one.transport.send('4echo:works');
      until(function () { return one.heard.length && one.opens; }, 'an echo', function () {
        equal(one.heard, ['4works']);
        one.heard = [];
        then(one);
      });
    });
  }

  /** Ends what a promise has left, as the connection does. */
  function silence(one) {
    one.transport.onopen = one.transport.onmessage = one.transport.onclose = function () {};
    if (!one.silenced) { one.transport.close(); }
    one.silenced = true;
  }

  function numbers(total, prefix) {
    var list = [], i;
    for (i = 0; i < total; i++) { list.push((prefix || '') + i); }
    return list;
  }

  function times(text, number) { return new Array(number + 1).join(text); }

  function promise(sentence, test) {
    promises.push({ sentence: sentence, test: test });
  }

  /** One end, with a reason, and nothing after it; or silence, of which the report tells. */
  function endsOnce(one, done) {
    var late = deadline(2000, 50);
    one.heard = [];
    (function look() {
      if (!one.ends.length && !late()) { return after(20, look); }
      after(200, function () {
        if (!one.ends.length) { report.silent.push(current); }
        check(one.ends.length < 2, 'several ends');
        check(!one.ends.length || one.ends[0], 'an end without a reason');
        equal(one.heard, [], 'what is heard');
        done();
      });
    })();
  }

  // -- what is promised

  promise('its first word is the handshake, and who listens once it is made misses nothing', function (done) {
    session(function (one) {
      equal(one.handshakes, [0]);
      check(one.handshake.pingInterval && one.handshake.maxPayload, 'a whole handshake');
      done();
    });
  });

  promise('it is not open while the network takes everything and says nothing', function (done) {
    ask(['fault', 'black-hole'], function () {
      begin(function (one) {
        after(250, function () {
          equal([one.opens, one.heard, one.ends], [0, [], []]);
          done();
        });
      });
    });
  });

  promise('it is open once the server has taken something', function (done) {
    session(function (one) {
      // Over HTTP the handshake may be had without a POST.
      one.transport.send('4first');
      until(function () { return one.opens; }, 'open', function () {
        ask(['session', one.sid], function (session) {
          equal(session.open, true);
          done();
        });
      });
    });
  });

  promise('many packets at once arrive each once and in order', function (done) {
    working(function (one) {
      var sent = numbers(300, 'up '), i;
      for (i = 0; i < sent.length; i++) { one.transport.send('4' + sent[i]); }
      one.transport.send('4count:300');
      until(function () { return one.heard.length >= 300; }, '300 packets', function () {
        equal(one.heard, numbers(300, '4'));
        untilSession(one, function (session) { return session.heard.length >= 300; }, '300 packets up', function (session) {
          equal(session.heard, sent);
          done();
        });
      });
    });
  });

  promise('so do a few at a time, both ways at once', function (done) {
    working(function (one) {
      var next = 0;
      (function send() {
        for (var i = 0; i < 3; i++) { one.transport.send('4echo:' + next++); }
        if (next < 45) { return after(next % 2 ? 0 : 25, send); }
        until(function () { return one.heard.length >= 45; }, '45 echoes', function () {
          equal(one.heard, numbers(45, '4'));
          done();
        });
      })();
    });
  });

  promise('packets may be as large as the server allows, several at once, and larger from the server', function (done) {
    working(function (one) {
      // A form adds two bytes, and makes nine of a character of three: both servers count what they get.
      var largest = times('x', maxPayload - 3), bytes = times('\u20ac', Math.floor((maxPayload - 3) / 9)), sent = ['a', largest, bytes, 'b', largest, 'c'], i;
      for (i = 0; i < sent.length; i++) { one.transport.send('4' + sent[i]); }
      untilSession(one, function (session) { return session.heard.length >= sent.length; }, 'all of them', function (session) {
        equal(session.heard, sent);
        largest = times('\u00e9"\\', 30000);
        ask(['say', one.sid, 'c', largest, 'd'], function () {
          until(function () { return one.heard.length >= 3; }, 'a large packet', function () {
            equal(one.heard, ['4c', '4' + largest, '4d']);
            done();
          });
        });
      });
    });
  });

  promise('a packet larger than that is its end', function (done) {
    working(function (one) {
      one.transport.send('4' + times('x', maxPayload * 2));
      endsOnce(one, done);
    });
  });

  promise('text of every kind arrives as it was sent', function (done) {
    working(function (one) {
      // Other control characters are escaped by JSON.
      var sent = ['\u2028\u2029', '\u007f\u0085', '\uFEFFmark\uFEFF', '</script><script>alert(1)</script>', '<!--<script>', '-->', ']]>', '\\', '\\n',
          '\\\\n', '"\'`', '&amp;&lt;%20+%2B', '\u00e9\u20ac\ud83d\ude00', '  leading and trailing  ', '${x}', '\ufffe\uffff'], i;
      for (i = 0; i < sent.length; i++) { one.transport.send('4echo:' + sent[i]); }
      until(function () { return one.heard.length >= sent.length; }, 'all of them', function () {
        for (i = 0; i < sent.length; i++) { equal(one.heard[i], '4' + sent[i]); }
        done();
      });
    });
  });

  promise('it takes bytes, and gives them back as bytes or as base64', function (done) {
    working(function (one) {
      var list = [0, 1, 30, 127, 128, 255], bytes, i, text;
      if (!window.Uint8Array) { return done(); }
      bytes = new Uint8Array(list.length);
      for (i = 0; i < list.length; i++) { bytes[i] = list[i]; }
      one.transport.send(bytes.buffer);
      one.transport.send(one.transport._binary || !bytes.subarray ? bytes : bytes.subarray(0));
      until(function () { return one.heard.length == 2; }, 'both', function () {
        for (i = 0; i < 2; i++) {
          text = one.heard[i];
          if (one.transport._binary) {
            equal(typeof text, 'object');
            text = 'b' + btoa(String.fromCharCode.apply(null, [].slice.call(new Uint8Array(text))));
          }
          equal(text, 'bAAEef4D/');
        }
        ask(['session', one.sid], function (session) {
          equal(session.heard, [{ hex: '00011e7f80ff' }, { hex: '00011e7f80ff' }]);
          done();
        });
      });
    });
  });

  promise('where it says that a packet given now would go out now, it does', function (done) {
    working(function (one) {
      until(function () { return one.transport._idle(); }, 'idle', function () {
        ask(['fault', 'delay', 0.15], function () {
          var idle;
          one.transport.send('4one');
          idle = one.transport._idle();
          one.transport.send('4two');
          untilSession(one, function (session) { return session.heard.length == 2; }, 'both', function (session) {
            equal(session.heard, ['one', 'two']);
            check(!idle || session.at[1] - session.at[0] < 0.1, 'the second waited');
            until(function () { return one.transport._idle(); }, 'idle again', done);
          });
        });
      });
    });
  });

  promise('if it can be paused, it finishes what is under way, and then nothing is asked and nothing is lost', function (done) {
    working(function (one) {
      var sent = numbers(20, 'up '), rests, i;
      if (!one.transport._pause || !/websocket/.test(one.handshake.upgrades)) { return done(); }
      ask(['probe', one.sid], function (answer) {
        equal(answer, '3probe');
        for (i = 0; i < sent.length; i++) { one.transport.send('4' + sent[i]); }
        one.transport._pause(function () { rests = true; });
        until(function () { return rests; }, 'a rest', function () {
          ask(['session', one.sid], function (session) {
            equal(session.heard, sent);
            ask(['requests'], function (before) {
              ask(['say', one.sid, 'late', 'later'], function () {
                after(300, function () {
                  equal(one.heard, []);
                  ask(['requests'], function (now) {
                    equal(now, before, 'requests');
                    ask(['upgrade', one.sid, 2], function (heard) {
                      equal(heard, ['4late', '4later']);
                      leave(one, done);
                    });
                  });
                });
              });
            });
          });
        });
      });
    });
  });

  /** A transport whose session another one carries forgets its id; then its end is not the session's. */
  function leave(one, done) {
    one.route._params.sid = undefined;
    silence(one);
    after(300, function () {
      ask(['session', one.sid], function (session) {
        equal(session.open, true, 'whether the session lives');
        ask(['leave', one.sid], done);
      });
    });
  }

  promise('with it ends the session, after what was sent', function (done) {
    working(function (one) {
      one.transport.send('4last');
      one.transport.send('4words');
      silence(one);
      untilSession(one, function (session) { return !session.open; }, 'the end', function (session) {
        equal(session.heard, ['last', 'words']);
        done();
      });
    });
  });

  promise('nothing of it is heard once it is silenced, and it ends', function (done) {
    working(function (one) {
      var opens = one.opens;
      one.transport.send('4count:50');
      one.transport.send('4echo:x');
      silence(one);
      ask(['kill'], function () {
        after(400, function () {
          untilQuiet(function () {
            equal([one.opens - opens, one.heard, one.ends], [0, [], []]);
            done();
          });
        });
      });
    });
  });

  promise('a foreign page for every answer is its end', refusedBy(['inject-html']));
  promise('an empty answer is its end', refusedBy(['answer', 200, '']));
  promise('a refusal is its end', refusedBy(['answer', 400, '{"code":1,"message":"Session ID unknown"}']));
  promise('a server in trouble is its end', refusedBy(['answer', 502, 'Bad Gateway']));
  promise('a connection that ends without an answer is its end', refusedBy(['answer', 0]));
  promise('an answer that is cut is its end', refusedBy(['cut-bytes', 40]));

  promise('a foreign page in the midst of it is its end', endedBy(['inject-html']));
  promise('an empty answer in the midst of it is its end', endedBy(['answer', 200, '']));
  promise('a refusal in the midst of it is its end', endedBy(['answer', 400, '{"code":1,"message":"Session ID unknown"}']));
  promise('a server in trouble in the midst of it is its end', endedBy(['answer', 502, 'Bad Gateway']));

  promise('what takes a packet in the place of the server is its end', function (done) {
    working(function (one) {
      ask(['fault', 'drop-posts', 'taken'], function () {
        one.transport.send('4x');
        after(100, function () {
          ask(['session', one.sid], function (session) {
            // It may have gone by another way.
            if (session.heard.length) { return done(); }
            endsOnce(one, done);
          });
        });
      });
    });
  });

  promise('when the server ends the session, it says so once or by a packet', function (done) {
    working(function (one) {
      ask(['end', one.sid], function () {
        until(function () { return one.ends.length || one.heard.length; }, 'an end', function () {
          check(one.ends.length == 1 || one.heard[0] === '1', 'close packet or end, but ' + one.heard + ' ' + one.ends);
          done();
        });
      });
    });
  });

  promise('when all connections are reset, it says its end once, or goes on with what follows', function (done) {
    working(function (one) {
      ask(['kill'], function () {
        after(300, function () {
          equal(one.heard, []);
          if (one.ends.length) { return endsOnce(one, done); }
          one.transport.send('4echo:on');
          until(function () { return one.ends.length + one.heard.length; }, 'an echo or an end', function () {
            check(one.ends.length == 1 || one.heard.join() == '4on', 'one end, or an echo');
            done();
          });
        });
      });
    });
  });

  promise('it leaves nothing in the page, even of what the network broke', function (done) {
    // A form whose connection broke is given up by the clock alone, where the engine says nothing of it.
    until(function () { return furniture() <= before; }, 'as many nodes as before, not ' + furniture() + ' after ' + before, done, 17000);
  });

  /** What a foreign page says may be heard as if it were packets; all else the transport finds out by itself. */
  function bySelf(one, fault) {
    check(fault[0] == 'inject-html' || one.ends[0] != 'no packet', 'heard as if it were packets');
  }

  /** From the first request on. */
  function refusedBy(fault) {
    return function (done) {
      ask(['fault'].concat(fault), function () {
        begin(function (one) {
          endsOnce(one, function () {
            equal(one.sid, undefined);
            bySelf(one, fault);
            done();
          });
        });
      });
    };
  }

  /** Once it works; what was open is reset. */
  function endedBy(fault) {
    return function (done) {
      working(function (one) {
        ask(['fault'].concat(fault), function () {
          ask(['kill'], function () {
            after(200, function () {
              if (!one.ends.length) { one.transport.send('4meets it'); }
              endsOnce(one, function () {
                bySelf(one, fault);
                done();
              });
            });
          });
        });
      });
    };
  }

  // -- one after the other

  function furniture() {
    var tags = ['iframe', 'form', 'script', 'textarea'], total = 0, i;
    for (i = 0; i < tags.length; i++) { total += document.getElementsByTagName(tags[i]).length; }
    return total;
  }

  function next() {
    var one = promises.shift(), began, ended;
    if (!one) { return end(); }
    current = one.sentence;
    began = time();
    // Replaced for each promise: what an earlier one left running fails nothing.
    failing = function (why) {
      var i;
      if (ended) { return; }
      ended = true;
      report.said[one.sentence] = why;
      report.seconds[one.sentence] = (time() - began) / 1000;
      for (i = 0; i < made.length; i++) { silence(made[i]); }
      made = [];
      failing = function () {};
      ask(['fault', 'none'], next);
    };
    guarded(one.test)(function () { failing('kept'); });
  }

  function end() {
    var xhr = new Kept.XMLHttpRequest();
    if (report.ended) { return; }
    report.ended = true;
    xhr.open('POST', '/report?name=' + encodeURIComponent(CASE.name), true);
    xhr.send(Kept.JSON.stringify(report));
    document.body.innerHTML = CASE.name;
  }

  window.onerror = function (message, file, line) { report.errors.push(message + ' at ' + file + ':' + line); };

  var before;
  window.addEventListener('load', function () {
    setTimeout(function () {
      before = furniture();
      report.names = [];
      for (var key in TRANSPORTS) { report.names.push(key); }
      try {
        failing = function () {};
        look(function (route) {
          try {
            real(route).close();
          } catch (error) {
            report.impossible = error.message;
            return end();
          }
          next();
        });
      } catch (error) {
        report.errors.push(error.message);
        end();
      }
    }, 1);
  }, false);
  setTimeout(function () {
    report.errors.push('not done within ' + CASE.seconds + ' seconds');
    end();
  }, CASE.seconds * 1000);
})();
