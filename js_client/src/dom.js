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
