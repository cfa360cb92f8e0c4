/*
 * Words: what a run of the check means, in sentences that can be read out. Pure: a run in (check-run.js makes it), texts out.
 */
var anywireCheck = {};

(function (check) {
  var words = check.words = {}, NAMES = {
    websocket: 'WebSocket',
    polling: 'long polling',
    jsonp: 'script polling',
    htmlfile: 'the endless frame'
  }, STRIPPED = 'its request reaches the server as an ordinary one, for a proxy takes out the words that ask for a WebSocket',
    FOREIGN = 'something else answers in the server\'s place, such as a log-in page of the network or a filter';

  function capital(text) { return text.charAt(0).toUpperCase() + text.substring(1); }

  function join(list) {
    return list.length > 1 ? list.slice(0, -1).join(', ') + ' and ' + list[list.length - 1] : list[0] || '';
  }

  function quoted(text) { return '“' + text + '”'; }

  /** 34 ms, 1.2 s, 2 min 5 s */
  words.span = function (ms) {
    if (ms < 1) { return 'less than 1 ms'; }
    if (ms < 1000) { return Math.round(ms) + ' ms'; }
    if (ms < 60000) { return Math.round(ms / 100) / 10 + ' s'; }
    return Math.floor(ms / 60000) + ' min ' + Math.floor(ms % 60000 / 1000) + ' s';
  };

  words.name = function (name) { return NAMES[name]; };

  words.median = function (numbers) {
    var sorted = numbers.slice(0).sort(function (a, b) { return a - b; });
    return sorted[Math.floor(sorted.length / 2)];
  };

  /** The word beside a way's name. */
  words.state = function (way) {
    return { waiting: 'waiting', testing: 'testing', works: 'works', blocked: 'blocked', absent: 'not in this browser', off: 'not offered' }[way.state];
  };

  /** What the server's own error says, without its subject ("The server ..."); nothing if the answer is not the server's. */
  words.refusal = function (run) {
    var answer = run.refusal, found = answer && /^\{"code":(\d),"message":"((?:\\.|[^"\\])*)"\}\s*$/.exec(answer.body);
    if (answer && /^server shutting down/.test(answer.body)) { return 'is shutting down; try again in a minute'; }
    if (!found) { return ''; }
    return meaning(run, found[2].replace(/\\(.)/g, '$1'), found[1]);
  };

  /** What an error of the server's means; `code` is Engine.IO's number for it, if it is known. */
  function meaning(run, message, code) {
    if (message == 'Origin not allowed') {
      return 'takes this page for one of another site (' + quoted(message) + '), as it does when a proxy changes the Host header';
    }
    if (message == 'Host not served here') { return 'does not serve the name ' + run.host + ' (its setting allowed_hosts leaves it out)'; }
    if (/^Too many/.test(message)) { return 'takes no more from your address for now (' + quoted(message) + '); wait a minute, then check again'; }
    if (code == '4') { return 'says ' + quoted(message) + '; perhaps a log-in is missing, or the cookie that shows it'; }
    if (code == '1') { return 'does not know the session that it has just opened: the load balancer must keep a visitor on one process'; }
    return 'says ' + quoted(message);
  }

  /** Who stops a way, and how: [who, clause]. who: 'way' (what is between the two), 'server' or 'browser'. */
  words.cause = function (run, name) {
    var way = run.ways[name], why = way.why || '', note = way.notes && way.notes[way.notes.length - 1],
      status = /HTTP (\d+)/.exec(why), refusal = words.refusal(run);
    if (name == 'websocket' && note && !note.upgrade) { return ['way', STRIPPED]; }
    if (note && /^WebSocket version/.test(note.refusal)) { return ['browser', 'speaks a draft of WebSocket from before 2011, which servers no longer do']; }
    if (note && note.refusal) { return ['server', meaning(run, note.refusal, '')]; }
    if (name == 'websocket') { return ['way', socketCause(run, way, note)]; }
    if (refusal) { return ['server', refusal]; }
    if (/no handshake|POST got/.test(why)) { return ['way', FOREIGN]; }
    if (status && /^50[234]$/.test(status[1])) { return ['way', 'a proxy answers that it cannot reach the server (HTTP ' + status[1] + ')']; }
    if (status && status[1] != '0') { return ['way', 'its requests are answered with an error (HTTP ' + status[1] + ')']; }
    if (status) { return ['way', 'its requests are cut off']; }
    if (/no text/.test(why)) { return ['way', 'it ends before it has begun, or something else answers in its place']; }
    if (/no script/.test(why)) { return ['way', 'its scripts do not arrive, or something else answers in their place']; }
    if (way.broke) { return ['way', 'it breaks off after ' + words.span(way.broke)]; }
    if (way.opened) { return ['way', 'what the server says arrives, what the browser sends does not']; }
    if (name == 'htmlfile' && run.stream == 'held') { return ['way', 'what the server sends piece by piece is held back on the way']; }
    return ['way', note ? 'its requests reach the server, but the answers do not come back' : 'its requests get no answer'];
  };

  function socketCause(run, way, note) {
    if (way.broke) { return 'it breaks off after ' + words.span(way.broke); }
    if (way.opened) { return 'it opens, but what the browser sends over it is swallowed on the way'; }
    if (way.upgraded) { return 'it opens, but what is sent over it is swallowed on the way'; }
    if (note) { return 'its request reaches the server, but the answer does not come back'; }
    if (run.probe.state == 'ok' && run.facts.oneProcess) {
      return way.late ? 'its request is held on the way and does not reach the server' : 'its request is turned away before it reaches the server';
    }
    return way.late ? 'its request gets no answer' : 'its request is turned away';
  }

  /** "WebSocket is blocked between you and the server: its request ...", as one sentence. */
  words.blocked = function (run, name) {
    var cause = words.cause(run, name);
    if (cause[0] == 'browser') { return 'This browser ' + cause[1] + '.'; }
    if (cause[0] == 'server') { return 'The server refuses ' + NAMES[name] + ': it ' + cause[1] + '.'; }
    return capital(NAMES[name]) + ' is blocked between you and the server: ' + cause[1] + '.';
  };

  /** The sentence below a way's name. */
  words.row = function (run, name) {
    var way = run.ways[name];
    if (way.state == 'works') { return 'Connected in ' + words.span(way.ms) + '.'; }
    if (way.state == 'off') { return 'The server\'s settings leave it out.'; }
    if (way.state == 'absent') { return 'The browser is too old for it, or has it switched off.'; }
    if (way.state == 'blocked') {
      return words.blocked(run, name).replace(/^.* is blocked between you and the server: (.)/, function (all, first) { return first.toUpperCase(); });
    }
    return '';
  };

  /** {tone: 'busy', 'good', 'detour' or 'bad', title, say: sentences, hint} */
  words.verdict = function (run) {
    if (!run.client) {
      return { tone: 'bad', title: 'The check could not start.', say: ['The client of this server, anywire.min.js, did not load: something on the way or in ' +
        'the browser keeps it away. Pages that use it do not work either.'], hint: '' };
    }
    if (!run.over) { return { tone: 'busy', title: 'Checking the connection…', say: [progress(run)], hint: '' }; }
    return run.chosen.name ? connected(run) : nothing(run);
  };

  function progress(run) {
    for (var n = 0; n < run.order.length; n++) {
      if (run.ways[run.order[n]].state == 'testing') { return 'Testing ' + NAMES[run.order[n]] + '.'; }
    }
    return run.tested ? 'Letting the client choose by itself.' : 'Asking the server.';
  }

  /** The names of the ways in that state. */
  function inState(run, state) {
    var found = [], n;
    for (n = 0; n < run.order.length; n++) {
      if (run.ways[run.order[n]].state == state) { found.push(NAMES[run.order[n]]); }
    }
    return found;
  }

  function connected(run) {
    var name = run.chosen.name, socket = run.ways.websocket, say = [], blocked = inState(run, 'blocked'), hint = '', trips = run.chosen.trips;
    if (run.ways[name].state == 'blocked') {
      return bad('The connection is unsteady.', ['The client got through over ' + NAMES[name] + ', but a moment before it did not: ' +
        words.cause(run, name)[1] + '.'], 'Check again. If it stays so, send the report below to the help desk.');
    }
    if (socket.state == 'blocked') { blocked.shift(); }
    if (name == 'websocket') {
      say.push('Your session runs over WebSocket, the fastest way.' + pace(trips));
    } else {
      if (socket.state == 'blocked') { say.push(words.blocked(run, 'websocket')); }
      if (socket.state == 'absent') { say.push('This browser has no WebSocket, or it is switched off.'); }
      if (socket.state == 'off') { say.push('The settings of this server leave WebSocket out.'); }
      say.push('Your session runs over ' + NAMES[name] + ', which works.' + pace(trips));
      if (socket.state == 'blocked') { hint = advice(run, words.cause(run, 'websocket')); }
      if (socket.state == 'works') {
        say.push('WebSocket, the fastest way, works too, but ' +
          (run.facts.upgrades ? 'this session has not moved to it.' : 'the settings of this server (allow_upgrades) let no session move to it.'));
        if (run.facts.upgrades) { hint = 'Check again: each new connection tries it anew. What the client has tried stands below, and in the report.'; }
      }
    }
    if (blocked.length) {
      say.push(capital(join(blocked)) + (blocked.length > 1 ? ' are' : ' is') + ' blocked, which does not matter as long as ' + NAMES[name] + ' works.');
    }
    if (name != 'websocket' && socket.state == 'blocked') { return { tone: 'detour', title: 'It works, by a detour.', say: say, hint: hint }; }
    return { tone: 'good', title: blocked.length || name != 'websocket' ? 'Your connection works.' : 'Everything works.', say: say, hint: hint };
  }

  function advice(run, cause) {
    if (cause[0] != 'way') { return ''; }
    return 'What would make it faster: ' + (cause[1] == STRIPPED ? 'the proxy must pass the headers Upgrade and Connection on (nginx: proxy_http_version 1.1; ' +
      'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";).' :
      'let WebSocket through to ' + run.host + ', in the proxy, firewall or virus scanner on the way.');
  }

  function pace(trips) {
    return trips.length ? ' A message takes ' + words.span(words.median(trips)) + ' to the server and back.' : '';
  }

  function nothing(run) {
    var probe = run.probe, refusal = words.refusal(run), working, say, n;
    if (!run.online && probe.state != 'ok') {
      return bad('This device is offline.', ['The browser says that it has no network. Switch Wi-Fi or mobile data on, or plug the cable in: the check begins ' +
        'again by itself.']);
    }
    if (probe.state == 'foreign' || /no handshake|POST got/.test(run.ways.polling.why) && !refusal) {
      return bad('Something else answers in the server\'s place.', [run.host + ' is answered by another page, such as the log-in page of a hotel or a ' +
        'filter. Open any other web page: if it asks you to log in or to agree, do so and check again.']);
    }
    if (probe.state == 'failed') {
      return bad('The server does not answer.', [run.host + ' has sent this page, but does not answer any more' + (probe.why ? ' (' + probe.why + ')' : '') +
        '. The server has stopped, or the network between you and it is broken.'], 'Try again in a minute, and once over another network, such as a phone\'s.');
    }
    if (refusal) { return bad('The server refuses the connection.', ['The server ' + refusal + '.'], 'The network is not to blame: the server\'s people can help.'); }
    working = inState(run, 'works');
    if (working.length) {
      return bad('The client did not find its way.', [capital(join(working)) + (working.length > 1 ? ' work by themselves' : ' works by itself') +
        ', but the client, left to choose, did not connect. This should not be: please send the report below to the server\'s people.']);
    }
    say = ['The server answers simple requests, but nothing that keeps a connection gets through.'];
    for (n = 0; n < run.order.length; n++) {
      if (run.ways[run.order[n]].state == 'blocked') { say.push(words.blocked(run, run.order[n])); }
    }
    return bad('No connection can be made.', say, 'Send the report below to the help desk, and try once over another network, such as a phone\'s.');
  }

  function bad(title, say, hint) { return { tone: 'bad', title: title, say: say, hint: hint || '' }; }

  // -- what the client chose, and why ----------------------------------------------------------------------------------

  function failure(why) {
    var status = /HTTP (\d+)/.exec(why);
    if (/^impossible/.test(why)) { return 'is not in this browser'; }
    if (/no answer|timeout/.test(why)) { return 'stays silent'; }
    if (/no handshake|POST got/.test(why)) { return 'is answered by something else'; }
    if (/no upgrade/.test(why)) { return 'cannot take over'; }
    if (status) { return status[1] == '0' ? 'is cut off' : 'is answered with HTTP ' + status[1]; }
    return 'is turned away';
  }

  /** The client's way to its transport, as [milliseconds, sentence] of each step. */
  words.steps = function (run) {
    var trace = run.chosen.trace, steps = [], going = {}, count = 0, carrier = '', again = 0, n, at, name, text;
    for (n = 0; n < trace.length; n++) {
      if (trace[n][1] == '*') { again++; }
      if (again) { continue; }
      at = trace[n][0];
      name = trace[n][2];
      text = trace[n][3];
      if (trace[n][1] == '=' && text == 'carries') {
        steps.push([at, capital(NAMES[name]) + (carrier && carrier != name ? ' takes over.' : ' carries the session.')]);
        carrier = name;
        going[name] = false;
      } else if (trace[n][1] == '=') {
        steps.push([at, begun(run, name, count, carrier)]);
        going[name] = true;
        count++;
      } else if (trace[n][1] == '!' && going[name]) {
        going[name] = false;
        steps.push([at, capital(NAMES[name]) + ' ' + failure(text) + '.']);
      } else if (trace[n][1] == '!' && name == carrier) {
        steps.push([at, capital(NAMES[name]) + (text == 'no answer' ? ' brings no answer and is given up.' : ' ends.')]);
      }
    }
    if (run.over && !run.chosen.name && !again) { steps.push([run.chosen.ended, 'Given up.']); }
    if (again && !carrier) { steps.push([trace[trace.length - 1][0], 'Tried again ' + (again > 1 ? again + ' times' : 'once') + ', with the same result.']); }
    return steps;

    function begun(run, name, count, carrier) {
      var beside = false, other;
      for (other in going) { beside = beside || going[other]; }
      if (!count) {
        return 'Begins with ' + NAMES[name] + (run.chosen.remembered == name ? ', which worked the last time.' : run.chosen.remembered ? '.' : ', the fastest.');
      }
      if (carrier && name == 'websocket') { return 'Tries to move to ' + NAMES[name] + '.'; }
      return beside || carrier ? 'No answer yet: tries ' + NAMES[name] + ' beside it.' : 'Tries ' + NAMES[name] + '.';
    }
  };

  words.memory = function (run) {
    var chosen = run.chosen;
    if (!run.over) { return chosen.trace.length ? '' : 'This comes last: one connection more, for which the client chooses by itself.'; }
    if (!chosen.storage) { return 'This browser lets the page keep nothing, so the client begins anew each time.'; }
    if (chosen.remembered && chosen.remembered == chosen.remembers) {
      return 'From an earlier visit the client remembered ' + NAMES[chosen.remembered] + ', and it will for another day.';
    }
    return (chosen.remembered ? 'From an earlier visit the client remembered ' + NAMES[chosen.remembered] + '.' : 'The client remembered nothing of an earlier visit.') +
      (chosen.remembers ? ' Now it remembers ' + NAMES[chosen.remembers] + ', for a day.' : '');
  };

  /** How long the connection has held; `now` in milliseconds. */
  words.held = function (run, now) {
    var breaks = run.breaks, last = breaks[breaks.length - 1], held = run.since ? words.span(Math.max(1000, Math.floor((now - run.since) / 1000) * 1000)) : '';
    if (!last) { return held ? 'It has held for ' + held + ' without a break. Leave the page open to see whether it lasts.' : ''; }
    return 'It broke ' + (breaks.length > 1 ? breaks.length + ' times' : 'once') + ', the last time after ' + words.span(last[0]) + ' (' + last[1] + '). ' +
      (held ? 'It is back for ' + held + '.' : 'It is not back yet.') +
      (breaks.length > 1 ? ' Something on the way ends connections.' : '');
  };

  // -- the surroundings ------------------------------------------------------------------------------------------------

  words.stream = function (state) {
    return {
      passes: 'Nothing on the way holds answers back.',
      held: 'Something on the way holds answers back until they are complete, such as a buffering proxy or a virus scanner. Long polling does not mind.',
      failed: 'Could not be tested.',
      unknown: 'This browser cannot tell whether answers are held back.'
    }[state] || 'Not tested yet.';
  };

  /** "Firefox 128 on Windows", as far as the name that a browser gives itself can be believed. */
  words.browser = function (agent) {
    var found, n, os = /Windows Phone/.test(agent) ? 'Windows Phone' : /Windows/.test(agent) ? 'Windows' : /Android/.test(agent) ? 'Android' : /iPhone|iPod/.test(agent) ? 'iPhone' :
        /iPad/.test(agent) ? 'iPad' : /Mac OS/.test(agent) ? 'macOS' : /CrOS/.test(agent) ? 'ChromeOS' : /Linux/.test(agent) ? 'Linux' : '',
      rules = [['Edge', /Edg[ea]?(?:iOS|A)?\/(\d+)/], ['Opera', /OPR\/(\d+)/], ['Samsung Internet', /SamsungBrowser\/(\d+)/], ['Firefox', /(?:Firefox|FxiOS)\/(\d+)/],
        ['Chromium', /(?:HeadlessChrome|Chromium)\/(\d+)/], ['Chrome', /(?:Chrome|CriOS)\/(\d+)/], ['PhantomJS', /PhantomJS\/([\d.]+)/],
        ['Safari', /(?:Mac OS|iP(?:hone|ad|od)).*Version\/(\d+).* Safari/], ['Internet Explorer', /MSIE (\d+)/], ['Internet Explorer', /Trident.*rv:(\d+)/], ['Opera', /Opera.(\d+)/]];
    for (n = 0; n < rules.length; n++) {
      found = rules[n][1].exec(agent);
      if (found) { return rules[n][0] + ' ' + found[1] + (os ? ' on ' + os : ''); }
    }
    if (/AppleWebKit/.test(agent)) { return 'A browser with WebKit' + (os ? ' on ' + os : ''); }
    return os ? 'A browser on ' + os : 'Unknown';
  };

  /** [label, text] of everything that is known about this browser and its way to the server. */
  words.surroundings = function (run) {
    var seen = run.probe.data, rows = [['Server', 'anywire ' + run.facts.version + ' at ' + run.address]];
    rows.push(['Your address', seen ? seen.address + ', as the server sees it' : 'unknown, for the server did not answer']);
    rows.push(['Protocol', (run.secure ? 'HTTPS' : 'HTTP, not encrypted') + (run.protocol ? ', ' + run.protocol + ' in the browser' : '') +
      (seen && seen.http ? ', ' + seen.http + ' at the server' : '')]);
    rows.push(['On the way', seen ? proxies(seen, run) : 'unknown']);
    rows.push(['Streaming', words.stream(run.stream)]);
    rows.push(['Browser', words.browser(run.agent)]);
    rows.push(['Storage', run.cookies ? run.chosen.storage ? 'Cookies and storage are allowed.' : 'Cookies are allowed, storage is not.' :
      'Cookies are off. The connection does without, but a log-in that is kept in one does not.']);
    rows.push(['Time', run.time + clock(run)]);
    return rows;
  };

  function proxies(seen, run) {
    var found = [], name;
    for (name in seen.proxy) { found.push(name + ': ' + seen.proxy[name]); }
    if (run.secure && !seen.secure && !found.length) { found.push('TLS ends before the server'); }
    return found.length ? 'A proxy (' + found.join('; ') + ')' : 'No proxy that says so.';
  }

  function clock(run) {
    var off = Math.abs(run.clock || 0);
    if (!run.probe.data) { return ''; }
    return off < 30000 ? '; the server\'s clock agrees.' : '; the server\'s clock is ' + words.span(off) + (run.clock > 0 ? ' ahead.' : ' behind.');
  }

  // -- all of it as plain text -----------------------------------------------------------------------------------------

  words.report = function (run, now) {
    var verdict = words.verdict(run), lines = ['Connection check, ' + run.time, run.page, '', verdict.title].concat(verdict.say), n, name, way, list;
    if (verdict.hint) { lines.push(verdict.hint); }
    if (!run.client) { return lines.concat('', run.agent).join('\n'); }
    lines.push('', 'Each way by itself');
    for (n = 0; n < run.order.length; n++) {
      name = run.order[n];
      way = run.ways[name];
      lines.push('- ' + capital(NAMES[name]) + ' (' + name + '): ' + words.state(way) + '. ' + words.row(run, name) +
        (way.trips.length ? ' Round trips: ' + way.trips.join(', ') + ' ms.' : '') + (way.state == 'blocked' && way.why ? ' [' + way.why.substring(0, 120) + ']' : ''));
    }
    lines.push('', 'What the client chose by itself: ' + (run.chosen.name ? NAMES[run.chosen.name] : 'nothing'));
    list = words.steps(run);
    for (n = 0; n < list.length; n++) { lines.push('- ' + words.span(Math.max(1, list[n][0])) + ': ' + list[n][1]); }
    lines.push(words.memory(run));
    if (words.held(run, now)) { lines.push(words.held(run, now)); }
    lines.push('', 'Surroundings');
    list = words.surroundings(run);
    for (n = 0; n < list.length; n++) { lines.push('- ' + list[n][0] + ': ' + list[n][1]); }
    lines.push('- Browser in full: ' + run.agent, '- Check: ' + run.id, '', 'Packets of the chosen connection (ms, direction, transport, data)');
    for (n = 0; n < run.chosen.trace.length && n < 40; n++) { lines.push(run.chosen.trace[n].join(' ')); }
    return lines.join('\n');
  };
})(anywireCheck);
