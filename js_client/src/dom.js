/*
 * Page furniture of the transports that have to use it: scripts, hidden iframes, forms.
 */

var doc = global.document, nav = global.navigator || {},
  count = 0,  // of what has to be unique in this page
  // Milliseconds: a megabyte at half a megabit a second.
  SLOWEST_FORM = 15e3;

function listen(target, name, listener) {
  if (target.addEventListener) {
    target.addEventListener(name, listener, false);
  } else if (target.attachEvent) {
    target.attachEvent('on' + name, listener);
  }
}

/** Removes node a moment later: a browser may still be in the midst of an event of it, or, as Firefox, go on "loading". */
function discard(node) {
  setTimeout(function () {
    if (node && node.parentNode) { node.parentNode.removeChild(node); }
  }, 1);
}

/**
 * A GET by a node of the page, whose scripts call fn as global[table][n]; the n is said in the query as `param`.
 * create() makes the node once the page's load event is over: a script or iframe started earlier holds the event back, and
 * the browser shows itself loading, for as long as it streams (every engine; measured).
 * Returns a function that clears it away. What then still calls (a script that was removed may run yet) is not heard.
 */
function nodeGet(route, param, table, fn, create) {
  var all = global[table] = global[table] || [], index = route._params[param], node;

  function later() {
    setTimeout(function () {
      if (all[index] === fn) { node = create(); }
    }, 1);
  }

  if (index === undefined) { index = route._params[param] = all.length; }
  all[index] = fn;
  // Firefox 3.5 and older have no readyState.
  if (/^[uc]/.test(doc.readyState)) {
    later();
  } else {
    listen(global, 'load', later);
  }
  return function () {
    all[index] = noop;
    discard(node);
  };
}

/** A hidden part of `page` made of HTML; Internet Explorer 6 and 7 take an iframe's name only there. ready(part) before it is shown. */
function addHidden(page, html, ready) {
  var part = page.createElement('div');
  part.style.display = 'none';
  part.innerHTML = html;
  ready(part);
  page.body.appendChild(part);
  return part;
}

/**
 * POSTs `d=<text>` by a form into an iframe of its own: a second load in the same one adds to the browser's history.
 * done('', answer) once it is there, "ok" if it cannot be read. No engine but Chromium has an event for a form whose connection broke:
 * that is told by the clock. Engine.IO's JSONP transport sends this way.
 * A form would turn a newline into CR LF, so it takes backslash n for one, and our backslash n (JSON has no newline) goes with two.
 */
function postForm(route, text, done) {
  var name = 'anywire' + count++, form, frame, timer,
    part = addHidden(doc, '<form method=POST accept-charset=utf-8 target=' + name + '><textarea name=d></textarea></form><iframe name=' +
      name + '></iframe>', function (part) {
      form = part.firstChild;
      frame = part.lastChild;
      form.action = route._url();
      form.firstChild.value = text.replace(/\\n/g, '\\\\n');
    });

  function end(error, answer) {
    clearTimeout(timer);
    discard(part);
    done(error, answer);
    done = noop;
  }

  listen(frame, 'load', function () {
    var answer = 'ok';
    try {
      // Firefox also tells the load of the empty frame.
      if (frame.contentWindow.location.href == 'about:blank') { return; }
      answer = frame.contentWindow.document.body.innerHTML;
    } catch (ignore) { /* another origin: its answer cannot be read, and the poll will tell */ }
    end('', answer);
  });
  timer = setTimeout(function () { end('no answer'); }, SLOWEST_FORM);
  form.submit();
}
