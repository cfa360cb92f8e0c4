/*
 * One HTTP request by script: XMLHttpRequest, ActiveX in Internet Explorer 6, XDomainRequest across origins in 8 and 9.
 */

/** Throws where there is none. */
function newXhr() {
  return global.XMLHttpRequest ? new global.XMLHttpRequest() : new global.ActiveXObject('Microsoft.XMLHTTP');
}

/**
 * GETs, or POSTs body if there is one; done(error, text). Returns a function that aborts it, and has no effect after its end.
 * Throws where there is no such object, or an XDomainRequest is to leave the page's scheme.
 */
function request(route, body, done) {
  var xhr = newXhr(),
    xdr = route._cross && !('withCredentials' in xhr);

  function finish() {
    var status = 0, text = '';
    try {
      text = xhr.responseText;
      status = xdr ? 200 : xhr.status;
    } catch (ignore) { /* Firefox 3 and Internet Explorer 9, after a failure */ }
    done(status == 200 ? '' : 'HTTP ' + status, text);
  }

  if (xdr) { xhr = new global.XDomainRequest(); }

  xhr.open(body ? 'POST' : 'GET', route._url(), true);
  if (xdr) {
    // What failed has no text, and an answer without one is a failure.
    xhr.onload = xhr.onerror = xhr.ontimeout = finish;
    xhr.onprogress = noop;  // Internet Explorer 9 aborts a request without one
  } else {
    if (route._cross && route._opts.withCredentials) { xhr.withCredentials = true; }
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
