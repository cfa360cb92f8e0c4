/*
 * JSONP polling: each GET is a script that calls ___eio[j]("payload"), Engine.IO's name; the POST is a form. Needs nothing but a DOM.
 */

function jsonp(route) {
  route._params.transport = 'polling';

  return httpTransport(route, function (done) {
    return nodeGet(route, 'j', '___eio', function (payload) { done('', payload); }, function () {
      var script = doc.createElement('script');

      // Internet Explorer 6-8 know no onload and tell the end of success and failure alike; KHTML never tells a failure.
      script.onload = script.onerror = script.onreadystatechange = function () {
        if (/undefined|loaded|complete/.test(script.readyState)) {
          // Internet Explorer may say "loaded" a moment before it runs the script.
          setTimeout(function () { done('no script'); }, 100);
        }
      };
      script.src = route._url();
      doc.getElementsByTagName('head')[0].appendChild(script);
      return script;
    });
  }, postForm);
}
