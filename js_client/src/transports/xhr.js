/*
 * One HTTP request by script: XMLHttpRequest, ActiveX in Internet Explorer 6, XDomainRequest across origins in 8 and 9.
 */

/** Whether a request to route has to be an XDomainRequest. */
function needsXdr(route) {
  return route._cross && !(global.XMLHttpRequest && 'withCredentials' in new global.XMLHttpRequest());
}

/**
 * GETs, or POSTs body if there is one; done(error, text). Returns a function that aborts it, and has no effect after its end.
 * Throws where there is no such object, or an XDomainRequest is to leave the page's scheme.
 */
function request(route, body, done) {
  var xdr = needsXdr(route),
    xhr = xdr ? new global.XDomainRequest() : global.XMLHttpRequest ? new global.XMLHttpRequest() : new global.ActiveXObject('Microsoft.XMLHTTP');

  function finish() {
    var status = xdr ? 200 : 0, text;
    try {
      text = xhr.responseText;
      status = status || xhr.status;
    } catch (ignore) { /* Firefox 3 and Internet Explorer 9, after a failure */ }
    done(status == 200 ? '' : 'HTTP ' + status, text);
  }

  xhr.open(body ? 'POST' : 'GET', route._url(), true);
  if (xdr) {
    xhr.onload = finish;
    xhr.onerror = xhr.ontimeout = function () { done('HTTP 0'); };
    xhr.onprogress = noop;  // Internet Explorer 9 aborts a request without one
  } else {
    if (body) { xhr.setRequestHeader('Content-Type', 'text/plain;charset=UTF-8'); }
    if (route._cross && route._credentials) { xhr.withCredentials = true; }
    xhr.onreadystatechange = function () {
      if (xhr.readyState == 4) {
        xhr.onreadystatechange = noop;  // Internet Explorer leaks a request that keeps its listener, and 6 takes no null
        finish();
      }
    };
  }
  xhr.send(body || null);
  return function () {
    if (!xdr) { xhr.onreadystatechange = noop; }
    xhr.abort();
  };
}
