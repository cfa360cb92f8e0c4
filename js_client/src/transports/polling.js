/*
 * XHR long-polling: the server holds each GET until it has packets.
 *
 * The session begins by a POST of the packets that wait, which our server answers like a poll: within one round trip it is known
 * to work both ways. Other servers refuse that, and are asked by a GET from then on; the first time a little later, for they would
 * make a session of it beside that of a WebSocket which is about to be proven.
 */

function polling(route) {
  var first = !route._opts._plain && route._first;

  return httpTransport(route, function (done) {
    var timer, sent = first, abort = request(route, sent && (sent.join(SEPARATOR) || '6'), function (error, text) {
      // XDomainRequest knows no status, and has no text then.
      if (sent && /^(HTTP 400|$)/.test(error + text)) {
        route._opts._plain = 1;
        timer = setTimeout(function () { abort = request(route, '', done); }, 100);
      } else {
        route._taken = sent;
        done(error, text);
      }
    });

    first = 0;
    return function () {
      clearTimeout(timer);
      abort();
    };
  }, request);
}
