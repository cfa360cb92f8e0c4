/*
 * The chat: messages in the order of their ids, each once; older ones when the list is scrolled to its top.
 */
talk.chat = (function (page) {
  var chat = { name: '', first: 0, last: 0, more: false, boot: '', waiting: [] }, loading = false,
    box = page.byId('messages'), lines = page.byId('lines'), older = page.byId('older'), newer = page.byId('newer'),
    MOST_LINES = 1000, NEAR = 60, keys = 0, pinned = true;

  function two(at) {
    var date = new Date(at);
    return page.two(date.getHours()) + ':' + page.two(date.getMinutes());
  }

  /** One of eight colours, always the same for a name. */
  function colour(name) {
    var sum = 0, n;
    for (n = 0; n < name.length; n++) { sum = (sum * 31 + name.charCodeAt(n)) % 9973; }
    return 'c' + sum % 8;
  }

  function line(message, sending) {
    var element = page.make('div', 'line' + (sending ? ' sending' : '')), head = page.make('p', 'from'), name = message.name;
    element.appendChild(page.make('span', 'face ' + colour(name), name.charAt(0).toUpperCase()));
    head.appendChild(page.make('b', '', name));
    head.appendChild(document.createTextNode(' '));
    head.appendChild(page.make('span', 'at', sending ? 'sending' : two(message.at)));
    element.appendChild(head);
    element.appendChild(page.make('p', 'said', message.text));
    return element;
  }

  function atEnd() { return box.scrollHeight - box.scrollTop - box.clientHeight < NEAR; }

  function toEnd() {
    box.scrollTop = box.scrollHeight;
    pinned = true;
    page.show(newer, false);
  }

  function frame() {
    page.show(older, chat.more);
    page.show(page.byId('quiet'), !lines.firstChild);
  }

  /** The message that was sent under key is on its way no more. */
  function arrived(key) {
    var n, waiting = chat.waiting;
    for (n = 0; n < waiting.length; n++) {
      if (waiting[n].key == key) {
        lines.removeChild(waiting[n].element);
        waiting.splice(n, 1);
        return true;
      }
    }
    return false;
  }

  /** Shows a message of the server, unless it is shown already. */
  chat.add = function (message) {
    var end = atEnd(), own;
    if (message.id <= chat.last) { return; }
    own = message.key && arrived(message.key);
    chat.last = message.id;
    chat.first = chat.first || message.id;
    lines.insertBefore(line(message), chat.waiting.length ? chat.waiting[0].element : null);
    while (lines.childNodes.length > MOST_LINES) {
      lines.removeChild(lines.firstChild);
      chat.first++;  // ids have no gaps
      chat.more = true;
    }
    frame();
    if (end || own) { toEnd(); } else { page.show(newer, true); }
  };

  /** What the server told on joining: the last messages. Those that are here already stay. */
  chat.join = function (state) {
    var n, list = state.chat, gap = list.length && list[0].id > chat.last + 1;
    if (state.boot != chat.boot || gap) {
      page.empty(lines);
      chat.boot = state.boot;
      chat.first = chat.last = 0;
      chat.more = state.more;
      for (n = 0; n < chat.waiting.length; n++) { lines.appendChild(chat.waiting[n].element); }
    }
    for (n = 0; n < list.length; n++) { chat.add(list[n]); }
    frame();
    for (n = 0; n < chat.waiting.length; n++) { post(chat.waiting[n]); }
  };

  /** Puts a page of older messages before the others, and keeps in view what was in view. */
  function prepend(list, more) {
    var height = box.scrollHeight, top = box.scrollTop, part = document.createDocumentFragment(), n;
    for (n = 0; n < list.length; n++) {
      if (list[n].id < chat.first) { part.appendChild(line(list[n])); }
    }
    lines.setAttribute('aria-live', 'off');
    lines.insertBefore(part, lines.firstChild);
    setTimeout(function () { lines.setAttribute('aria-live', 'polite'); }, 500);
    if (list.length) { chat.first = Math.min(chat.first, list[0].id); }
    chat.more = more && chat.first > 1;
    frame();
    box.scrollTop = top + box.scrollHeight - height;
  }

  function loadOlder() {
    if (loading || !chat.more) { return; }
    loading = true;
    page.text(older, 'Loading…');
    chat.history(chat.first, function (answer) {
      loading = false;
      page.text(older, 'Show older messages');
      if (answer && answer.messages) { prepend(answer.messages, answer.more); }
    });
  }

  /** The connection is gone: an answer that was waited for will not come. */
  chat.lost = function () {
    loading = false;
    page.text(older, 'Show older messages');
  };

  function post(item) {
    chat.post({ name: item.name, text: item.text, key: item.key }, function (answer) {
      if (answer.wait) {
        page.text(page.byId('sayerror'), 'Not so fast: it goes out in a moment.');
        setTimeout(function () { post(item); }, 1100 * answer.wait);
        return;
      }
      page.text(page.byId('sayerror'), answer.error || '');
      if (answer.error) { arrived(item.key); }
    });
  }

  function say(event) {
    var input = page.byId('text'), text = input.value.replace(/^\s+|\s+$/g, ''), item;
    page.stop(event);
    if (!text) { return; }
    chat.name = page.byId('name').value.replace(/^\s+|\s+$/g, '').substring(0, 24) || chat.name;
    page.keep('local', 'name', chat.name);
    keys++;
    item = { name: chat.name, text: text.substring(0, 500), key: page.now().toString(36) + '.' + keys + Math.random().toString(36).substring(2, 8) };
    item.element = line(item, true);
    lines.appendChild(item.element);
    chat.waiting.push(item);
    input.value = '';
    frame();
    toEnd();
    if (chat.connected()) { post(item); }
  }

  /** Replaced by main.js: how to reach the server. */
  chat.post = chat.history = chat.connected = function () {};

  chat.name = page.recall('local', 'name') || 'Guest ' + (100 + Math.floor(Math.random() * 900));
  page.byId('name').value = chat.name;
  page.show(newer, false);
  frame();
  page.listen(page.byId('say'), 'submit', say);
  page.listen(older, 'click', loadOlder);
  page.listen(newer, 'click', toEnd);
  page.listen(box, 'scroll', function () {
    if (box.scrollTop < NEAR) { loadOlder(); }
    pinned = atEnd();
    if (pinned) { page.show(newer, false); }
  });
  // A phone that is turned keeps the newest message in view.
  page.listen(window, 'resize', function () {
    if (pinned) { toEnd(); }
  });
  return chat;
})(talk);
