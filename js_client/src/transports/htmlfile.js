/*
 * htmlfile: a hidden iframe whose document never ends; each script in it calls parent.anywire_htmlfile[i]("packet"), and is removed.
 * In old Internet Explorer the iframe lives in an ActiveX document, so that it neither clicks nor shows a page that loads.
 * Needs the page's own origin. Sends by POST, as polling does.
 */

function htmlfile(route) {
  newXhr();  // it throws where there is none, before a packet depends on it
  if (route._cross) { throw new Error('other origin'); }
  return httpTransport(route, function (done, transport) {
    var frame, page, heard, clear = nodeGet(route, 'i', 'anywire_htmlfile', function (packet) {
      heard = true;
      transport._hear(packet);
    }, function () {
      try {
        // Its frames find our callbacks in their parent.
        page = new global.ActiveXObject('htmlfile');
        page.open();
        page.write('<html></html>');
        page.close();
        page.parentWindow.anywire_htmlfile = global.anywire_htmlfile;
      } catch (ignore) { /* every other browser */ }
      return addHidden(page || doc, '<iframe></iframe>', function (part) {
        frame = part.firstChild;
        frame.src = route._url();
        // The end of a stream that has said something is as good as a noop.
        listen(frame, 'load', function () { done('', heard && '6'); });
      });
    });

    return function () {
      clear();
      if (page) {
        // Internet Explorer keeps the connection of a frame that was only removed.
        frame.src = 'about:blank';
        page = 0;
        global.CollectGarbage();
      }
    };
  }, request);
}
