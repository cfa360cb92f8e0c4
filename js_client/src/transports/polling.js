/*
 * XHR long-polling: the server holds each GET until it has packets.
 * It begins with a POST of the packets that wait, which our server answers as a poll: one round trip shows that it works
 * both ways. Other servers refuse that, and are asked by a GET.
 */

function polling(route) {
  var params = route._params, first = !params.sid && !route._opts._plain && route._first;

  return httpTransport(route, function (done) {
    var abort = request(route, first, first ? begun : done);
    params.first = undefined;

    function begun(error, text) {
      first = '';
      if (!error) { return done(error, text); }
      route._posted = 0;
      abort = request(route, '', done);
    }

    return function () { abort(); };
  }, request);
}
