/*
 * One HTTP request by script: XMLHttpRequest, ActiveX in Internet Explorer 6, XDomainRequest across origins in 8 and 9.
 */

function noop() {}

/** Whether a request to route has to be an XDomainRequest. */
function needsXdr(route) {
  return route.cross && !(global.XMLHttpRequest && 'withCredentials' in new global.XMLHttpRequest());
}

/** A request object that can reach route; throws or returns nothing where there is none. */
function newXhr(route) {
  if (needsXdr(route)) {
    // It may not leave the page's scheme.
    return route.sameScheme && global.XDomainRequest && new global.XDomainRequest();
  }
  return global.XMLHttpRequest ? new global.XMLHttpRequest() : new global.ActiveXObject('Microsoft.XMLHTTP');
}

/** GETs, or POSTs body if there is one; done(error, text). Returns a function that aborts it, and has no effect after its end. */
function request(route, body, done) {
  var xhr = newXhr(route), method = body ? 'POST' : 'GET';

  function finish(error) {
    var text = '';
    try { text = xhr.responseText || ''; } catch (ignore) { /* Internet Explorer 9, after a failure */ }
    done(error && error + ' ' + text.slice(0, 200), text);
  }

  if (needsXdr(route)) {
    xhr.onload = function () { finish(''); };
    xhr.onerror = xhr.ontimeout = function () { finish('network error'); };
    xhr.onprogress = noop;  // Internet Explorer 9 aborts a request without one
    xhr.open(method, route.url());
  } else {
    xhr.open(method, route.url(), true);
    if (body) { xhr.setRequestHeader('Content-Type', 'text/plain;charset=UTF-8'); }
    if (route.cross && route.withCredentials) { xhr.withCredentials = true; }
    xhr.onreadystatechange = function () {
      var status = 0;
      if (xhr.readyState == 4) {
        try { status = xhr.status; } catch (ignore) { /* Firefox 3, after a failure */ }
        xhr.onreadystatechange = noop;  // Internet Explorer leaks a request that keeps its listener, and 6 takes no null
        finish(status == 200 ? '' : status ? 'HTTP ' + status : 'network error');
      }
    };
  }
  xhr.send(body || null);
  return function () {
    if (!needsXdr(route)) { xhr.onreadystatechange = noop; }
    xhr.abort();
  };
}
