/*
 * One connection for everything: the viewer's namespace, and on the speaker's page a second one on the same wire.
 */
(function (page, deck, chat, wire) {
  var ROUND_TRIP_EVERY = 5000, isSpeaker = page.has(page.byId('page'), 'speaker'), speaker, token = '',
    socket = io('/', { path: page.data('path'), transports: wire.transports(wire.choice), debug: trace, autoConnect: false });

  /** The token goes over the wire, but must not go over the projector. */
  function trace(direction, transport, data) {
    var text = typeof data == 'string' ? data : '[binary]';
    wire.trace(direction, transport, token ? text.split(token).join('***') : text);
  }

  window.talk.socket = socket;

  // -- the connection --------------------------------------------------------------------------------------------------

  /** The transport that carries us now; none while there is no connection. */
  function transport() {
    var engine = socket.io.engine;
    return socket.connected && engine && engine.transport ? engine.transport.name : '';
  }

  function showLink() {
    var name = transport();
    page.byId('link').className = name ? 'up ' + name : 'down';
    page.text(page.byId('linktext'), name || 'connecting');
  }

  socket.on('connect', function () {
    showLink();
    socket.io.engine.on('upgrade', showLink);
    socket.emit('join', function (state) {
      deck.votes = state.votes;
      for (var n = 0; n < state.polls.length; n++) { deck.showPoll(state.polls[n]); }
      deck.turn(state.slide);
      chat.join(state);
      showPresence(state.presence);
      measure();
    });
  });

  socket.on('disconnect', function () {
    showLink();
    wire.showRoundTrip();
    chat.lost();
  });

  socket.on('connect_error', showLink);

  function measure() {
    var from = page.now();
    if (socket.connected && !wire.paused && !document.hidden) {
      socket.emit('rtt', function () { wire.showRoundTrip(page.now() - from); });
    }
  }
  setInterval(measure, ROUND_TRIP_EVERY);

  wire.listen(function (choice) {
    socket.io.close();
    socket.io.opts.transports = wire.transports(choice);
    socket.io.open();
    showLink();
  });

  // -- who is here -----------------------------------------------------------------------------------------------------

  function showPresence(counts) {
    var names = ['websocket', 'polling', 'jsonp', 'htmlfile'], pills = page.byId('pills'), total = 0, n, pill;
    page.empty(pills);
    for (n = 0; n < names.length; n++) {
      if (counts[names[n]]) {
        total += counts[names[n]];
        pill = page.make('span', 'pill ' + names[n]);
        pill.appendChild(page.make('i', '', names[n] + ' '));
        pill.appendChild(page.make('b', '', counts[names[n]]));
        pills.appendChild(document.createTextNode(' '));
        pills.appendChild(pill);
      }
    }
    page.text(page.byId('here'), total);
  }
  socket.on('presence', showPresence);

  // -- deck, poll and chat ---------------------------------------------------------------------------------------------

  socket.on('slide', function (slide) { deck.turn(slide.index); });
  socket.on('poll', deck.showPoll);
  socket.on('chat', chat.add);

  deck.listen(function (slide, option, done) { socket.emit('vote', { slide: slide, option: option }, done); });
  chat.connected = function () { return socket.connected; };
  chat.post = function (message, done) { socket.emit('chat', message, done); };
  chat.history = function (before, done) { socket.emit('history', { before: before }, done); };

  function step(by) {
    if (isSpeaker && speaker.connected) { go(deck.live + by); } else { deck.look(deck.at + by); }
  }

  function onClick(id, listener) { page.listen(page.byId(id), 'click', listener); }

  onClick('prev', function () { step(-1); });
  onClick('next', function () { step(1); });
  onClick('live', function () { deck.follow(!deck.following); });

  page.listen(document, 'keydown', function (event) {
    var target = event.target || event.srcElement, key = event.keyCode;
    if (/^(input|select|textarea|button|pre)$/i.test(target.nodeName) && (key == 32 || !/^button$/i.test(target.nodeName))) { return; }
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) { return; }
    if (key == 39 || key == 34 || key == 32 && isSpeaker) {
      page.stop(event);
      step(1);
    } else if (key == 37 || key == 33) {
      page.stop(event);
      step(-1);
    }
  });

  // -- the speaker -----------------------------------------------------------------------------------------------------

  function complain(answer) { page.text(page.byId('deskerror'), answer && answer.error || ''); }

  function go(index) {
    if (index >= 0 && index < deck.count) {
      deck.following = true;
      speaker.emit('go', { index: index }, complain);
    }
  }

  function setPoll(open) {
    speaker.emit('poll', { slide: deck.here().id, open: open }, complain);
  }

  function showDesk() {
    var inside = speaker.connected, here = deck.here(), next = deck.slides[deck.at + 1], poll = deck.polls[here.id], n;
    page.show(page.byId('door'), !inside);
    page.show(page.byId('controls'), inside);
    for (n = 0; n < deck.count; n++) { page.show(page.byId('notes-' + deck.slides[n].id), n == deck.at); }
    page.text(page.byId('upnext'), next ? 'Next: ' + next.title : 'This is the last slide.');
    page.byId('jump').value = deck.at;
    page.byId('back').disabled = deck.live === 0;
    page.byId('forward').disabled = deck.live == deck.count - 1;
    page.show(page.byId('pollrow'), !!poll);
    if (poll) {
      page.byId('openpoll').disabled = poll.open;
      page.byId('closepoll').disabled = !poll.open;
    }
  }

  function showVotes(poll, total) {
    if (poll.slide == deck.here().id) { page.text(page.byId('pollstate'), (poll.open ? 'open, ' : 'closed, ') + page.plural(total, 'vote')); }
    showDesk();
  }

  function takeStage() {
    var since = 0;
    token = page.argument('token') || page.recall('session', 'token');
    speaker = socket.io.socket(page.data('namespace'), {});
    speaker.auth = function (give) { give({ token: token }); };

    // The address would show the token to everybody who sees the projector.
    if (page.argument('token') && window.history && history.replaceState) { history.replaceState(null, '', location.pathname); }
    speaker.on('connect', function () {
      since = since || page.now();
      page.keep('session', 'token', token);
      page.text(page.byId('refused'), '');
      showDesk();
    });
    speaker.on('connect_error', function (error) {
      if (error.data || !/not the speaker/.test(error.message)) { return; }
      token = '';
      page.keep('session', 'token', '');
      page.text(page.byId('refused'), error.message);
      showDesk();
      page.byId('token').focus();
    });
    speaker.on('disconnect', showDesk);
    page.listen(page.byId('door'), 'submit', function (event) {
      page.stop(event);
      token = page.byId('token').value.replace(/^\s+|\s+$/g, '');
      page.byId('token').value = '';
      if (token) { speaker.connect(); }
    });
    onClick('back', function () { go(deck.live - 1); });
    onClick('forward', function () { go(deck.live + 1); });
    onClick('openpoll', function () { setPoll(true); });
    onClick('closepoll', function () { setPoll(false); });
    onClick('clearpoll', function () { speaker.emit('clear', { slide: deck.here().id }, complain); });
    page.listen(page.byId('jump'), 'change', function () {
      if (speaker.connected) { go(+page.byId('jump').value); } else { deck.look(+page.byId('jump').value); }
    });
    setInterval(function () {
      var seconds = since ? Math.floor((page.now() - since) / 1000) : 0;
      page.text(page.byId('clock'), Math.floor(seconds / 60) + ':' + page.two(seconds % 60));
    }, 1000);
    deck.onchange = function () {
      var poll = deck.polls[deck.here().id];
      if (poll) { deck.showPoll(poll); } else { showDesk(); }
    };
    deck.onpoll = showVotes;
    showDesk();
    if (token) { speaker.connect(); }
  }

  showLink();
  deck.turn(0);
  if (isSpeaker) { takeStage(); }
  socket.connect();
})(talk, talk.deck, talk.chat, talk.wire);
