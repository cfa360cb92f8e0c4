/*
 * The page: shows a run. What is shown comes from check-words.js; nothing of it is HTML.
 */
(function (check) {
  var words = check.words, run, shown = {};

  function byId(id) { return document.getElementById(id); }

  /** Writes text where it is not there yet: a reader's voice and a selection stay undisturbed. */
  function write(node, text) {
    if (node.firstChild && node.firstChild.nodeValue === text && node.childNodes.length == 1) { return; }
    clear(node);
    node.appendChild(document.createTextNode(text));
  }

  function clear(node) {
    while (node.firstChild) { node.removeChild(node.firstChild); }
  }

  function make(tag, text, name) {
    var node = document.createElement(tag);
    if (text) { write(node, text); }
    if (name) { node.className = name; }
    return node;
  }

  function part(node, tag, name) {
    var all = node.getElementsByTagName(tag), n;
    for (n = 0; n < all.length; n++) {
      if (!name || all[n].className == name) { return all[n]; }
    }
  }

  /** Draws a list anew if what it says has changed; item(entry) makes one. */
  function list(id, entries, item) {
    var node = byId(id), text = entries.join('\n'), n;
    if (shown[id] === text) { return; }
    shown[id] = text;
    clear(node);
    for (n = 0; n < entries.length; n++) { node.appendChild(item(entries[n])); }
  }

  function showVerdict() {
    var verdict = words.verdict(run);
    byId('verdict').className = 'card ' + verdict.tone;
    byId('page').className = run.client ? verdict.tone : 'lame';
    write(byId('title'), verdict.title);
    list('say', verdict.say, function (sentence) { return make('p', sentence); });
    write(byId('hint'), verdict.hint);
    document.title = verdict.tone == 'busy' ? 'Connection check' : verdict.title + ' - Connection check';
  }

  function showWay(name) {
    var way = run.ways[name], node = byId('way-' + name), figure = part(node, 'p', 'figure'), trips = way.trips;
    node.className = 'way ' + way.state + (run.over && run.chosen.name == name ? ' chosen' : '');
    write(part(part(node, 'p', 'state'), 'span'), words.state(way));
    write(part(figure, 'b'), trips.length && way.state != 'blocked' ? words.span(words.median(trips)) : '');
    write(part(figure, 'span'), trips.length && way.state != 'blocked' ? 'there and back' : '');
    write(part(node, 'p', 'why'), words.row(run, name));
    showBars(part(node, 'p', 'bars'), way.state == 'blocked' ? [] : trips, name);
  }

  function showBars(node, trips, name) {
    var most = 1, n, bar;
    for (n = 0; n < trips.length; n++) { most = Math.max(most, trips[n]); }
    if (shown[name] === trips.join()) { return; }
    shown[name] = trips.join();
    clear(node);
    for (n = 0; n < trips.length; n++) {
      bar = make('i');
      bar.style.height = Math.max(3, Math.round(22 * trips[n] / most)) + 'px';
      bar.title = words.span(trips[n]);
      node.appendChild(bar);
    }
  }

  function showChoice() {
    list('steps', words.steps(run), function (step) {
      var item = make('li');
      item.appendChild(make('span', words.span(Math.max(1, step[0])), 'at'));
      item.appendChild(make('span', ' ' + step[1], 'step'));
      return item;
    });
    write(byId('memory'), words.memory(run));
    byId('choice').className = 'card' + (run.over || run.chosen.trace.length ? '' : ' empty');
  }

  function showFacts() {
    list('facts', words.surroundings(run), function (pair) {
      var row = make('tr'), head = make('th', pair[0]);
      head.setAttribute('scope', 'row');
      row.appendChild(head);
      row.appendChild(make('td', pair[1]));
      return row;
    });
  }

  function showHeld() {
    if (run && run.over) { write(byId('held'), words.held(run, new Date().getTime())); }
  }

  function showReport() {
    var text = words.report(run, new Date().getTime());
    if (byId('report').value !== text) { byId('report').value = text; }
  }

  function show() {
    showVerdict();
    if (!run.client) {
      showReport();
      return;
    }
    for (var n = 0; n < run.order.length; n++) { showWay(run.order[n]); }
    showChoice();
    showFacts();
    showHeld();
    if (run.over) { showReport(); }
  }

  function start() {
    if (run) { check.stop(run); }
    byId('report').value = '';
    write(byId('held'), '');
    write(byId('copy'), 'Copy the report');
    run = check.run = check.start(window.anywireFacts, show);
    show();
  }

  function listen(target, name, listener) {
    if (target.addEventListener) {
      target.addEventListener(name, listener, false);
    } else if (target.attachEvent) {
      target.attachEvent('on' + name, listener);
    }
  }

  function copy() {
    var field = byId('report'), done = false;
    showReport();
    field.focus();
    field.select();
    try { done = document.execCommand('copy'); } catch (old) { /* by hand then */ }
    write(byId('copy'), done ? 'Copied' : 'Selected: now press Ctrl+C');
    setTimeout(function () { write(byId('copy'), 'Copy the report'); }, 4000);
  }

  listen(byId('again'), 'click', start);
  listen(byId('copy'), 'click', copy);
  listen(window, 'online', function () {
    if (run.over && !run.chosen.name) { start(); }
  });
  setInterval(showHeld, 1000);
  start();
})(anywireCheck);
