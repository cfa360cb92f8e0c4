/*
 * What of a browser the client needs, for Windows Script Host: JScript without a page. ORIGIN says where that page would be,
 * SLEEP where a request takes a moment. Timers and answers come while wait() waits for a slow request: Wine's WScript.Sleep does not, and nothing else pumps messages.
 */

var self = this, window = this, timers = [], timerCount = 0, over = false;

window.location = { protocol: 'http:', host: ORIGIN.replace('http://', ''), href: ORIGIN + '/' };
window.navigator = { userAgent: 'Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)' };
window.document = { readyState: 'complete', body: {} };
window.attachEvent = function (name, listener) { if (name == 'onload') { setTimeout(listener, 0); } };

function clock() { return new Date().getTime(); }

function setTimeout(run, ms) {
  timers[timers.length] = { id: ++timerCount, run: run, at: clock() + (ms || 0) };
  return timerCount;
}

function setInterval(run, ms) {
  var id = setTimeout(function again() {
    timers[timers.length] = { id: id, run: again, at: clock() + ms };
    run();
  }, ms);
  return id;
}

function clearTimeout(id) {
  for (var i = 0; i < timers.length; i++) {
    if (timers[i].id == id) { timers.splice(i, 1); return; }
  }
}

var clearInterval = clearTimeout;

function wait() {
  var request = new ActiveXObject('WinHttp.WinHttpRequest.5.1');
  request.Open('GET', SLEEP, true);
  request.Send();
  request.WaitForResponse(5);
}

/** Runs timers until the report is out. */
function loop(seconds) {
  var end = clock() + seconds * 1000, i, timer;
  while (!over && clock() < end) {
    for (i = 0; i < timers.length; i++) {
      timer = timers[i];
      if (timer.at <= clock()) {
        timers.splice(i, 1);
        timer.run();
        i = -1;
      }
    }
    wait();
  }
}

/** JSON for the report; the client brings its own. */
function stringify(value) {
  var parts = [], key;
  if (typeof value == 'string') {
    return '"' + value.replace(/[^ !#-\[\]-~]/g, function (c) {
      return '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4);
    }) + '"';
  }
  if (value === null || value === undefined) { return 'null'; }
  if (typeof value != 'object') { return String(value); }
  if (value instanceof Array) {
    for (key = 0; key < value.length; key++) { parts.push(stringify(value[key])); }
    return '[' + parts.join() + ']';
  }
  for (key in value) {
    if (value.hasOwnProperty(key) && value[key] !== undefined) { parts.push(stringify(key) + ':' + stringify(value[key])); }
  }
  return '{' + parts.join() + '}';
}

/** What before.js makes in a page: here the report is sent at once, and ends the program. */
var Pretended = {}, Kept = {
  JSON: { stringify: stringify },
  XMLHttpRequest: function () {
    var xhr = new ActiveXObject('Microsoft.XMLHTTP');
    this.open = function (method, url) { xhr.open(method, ORIGIN + url, false); };
    this.send = function (text) {
      xhr.send(text);
      over = true;
    };
  }
};
