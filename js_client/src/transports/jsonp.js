/*
 * JSONP polling: each GET is a script that calls ___eio[j]("payload"), Engine.IO's name; the POST is a form. Needs nothing but a DOM.
 */

function jsonp(route) {
  route._params.transport = 'polling';

  return httpTransport(route, function (done) {
    return nodeGet(route, 'j', '___eio', function (payload) { done('', payload); }, function () {
      return addScript(route._url(), function () {
        // Internet Explorer may say "loaded" a moment before it runs the script.
        setTimeout(function () { done('script did not call'); }, 100);
      });
    });
  }, function (text, done) { postForm(route._url(), text, done); });
}
