/*
 * htmlfile: a hidden iframe whose document never ends; each script in it calls parent.anywire_htmlfile[i]("packet").
 * In old Internet Explorer the iframe lives in an ActiveX document, so that it neither clicks nor shows a page that loads.
 * Needs the page's own origin. Sends by POST, as polling does.
 */

var htmlfile = {
  usable: function (route) { return doc && !route.cross; },

  open: function (route) {
    var take = noop;
    route.params.i = exposeCallback('anywire_htmlfile', function (packet) { take(packet); });

    return httpTransport(route, function (done, transport) {
      var frame, page, heard, cancel = afterLoad(function () {
        page = activeDocument();
        frame = addFrame('', route.url(), page);
        listen(frame, 'load', function () { done(heard ? '' : 'stream ended'); });
      });

      take = function (packet) {
        heard = true;
        route.trace('<', packet);
        tidy(frame);
        transport.hear(packet);
      };
      return function () {
        take = noop;
        cancel();
        // Internet Explorer keeps the connection of a frame that was only removed.
        if (page) { frame.src = 'about:blank'; }
        discard(frame);
        page = 0;
      };
    }, postByXhr(route));
  }
};

/** An ActiveX document whose frames find our callbacks in their parent; undefined elsewhere. */
function activeDocument() {
  var page;
  try {
    page = new global.ActiveXObject('htmlfile');
    page.open();
    page.write('<html></html>');
    page.close();
    page.parentWindow.anywire_htmlfile = global.anywire_htmlfile;
    // Without this, Internet Explorer would keep the connection when the page goes.
    listen(global, 'unload', function () {
      page = 0;
      global.CollectGarbage();
    });
  } catch (ignore) { /* every other browser */ }
  return page;
}

/** Takes the script that just ran out of the endless document, which would grow for hours. */
function tidy(frame) {
  try {
    var scripts = frame.contentWindow.document.getElementsByTagName('script');
    if (scripts.length > 1) { removeNode(scripts[scripts.length - 1]); }
  } catch (ignore) { /* no access: it grows */ }
}
