/*
 * JSONP polling: each GET is a script that calls ___eio[j]("payload"); the POST is a form. Needs nothing but a DOM.
 */

var jsonp = {
  usable: function () { return doc; },

  open: function (route) {
    var take = noop;
    route.params.transport = 'polling';
    route.params.j = exposeCallback('___eio', function (payload) { take('', payload); });

    return httpTransport(route, function (done) {
      var script, cancel = afterLoad(function () {
        script = addScript(route.url(), function () {
          // Internet Explorer may say "loaded" a moment before it runs the script.
          setTimeout(function () { done('script did not call'); }, 100);
        });
      });
      take = done;
      return function () {
        take = noop;  // a script that was removed may still run, and call
        cancel();
        discard(script);
      };
    }, function (text, done) { postForm(route.url(), text, done); });
  }
};
