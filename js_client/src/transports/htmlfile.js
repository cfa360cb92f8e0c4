/*
 * htmlfile: a hidden iframe whose document never ends; each script in it calls parent.anywire_htmlfile[i]("packet").
 * In old Internet Explorer the iframe lives in an ActiveX document, so that it neither clicks nor shows a page that loads.
 * Needs the page's own origin. Sends by POST, as polling does.
 */

function htmlfile(route) {
  if (route._cross) { throw new Error('other origin'); }
  return httpTransport(route, function (done, transport) {
    var frame, page, heard, clear = nodeGet(route, 'i', 'anywire_htmlfile', function (packet) {
      heard = true;
      tidy(frame);
      transport._hear(packet);
    }, function () {
      page = activeDocument();
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
  }, postByXhr(route));
}

/** An ActiveX document whose frames find our callbacks in their parent; undefined elsewhere. */
function activeDocument() {
  var page;
  try {
    page = new global.ActiveXObject('htmlfile');
    page.open();
    page.write('<html></html>');
    page.close();
    page.parentWindow.anywire_htmlfile = global.anywire_htmlfile;
  } catch (ignore) { /* every other browser */ }
  return page;
}

/** Takes the script that just ran out of the endless document, which would grow for hours. */
function tidy(frame) {
  try {
    var scripts = frame.contentWindow.document.getElementsByTagName('script');
    if (scripts.length > 1) { discard(scripts[scripts.length - 1]); }
  } catch (ignore) { /* no access: it grows */ }
}
