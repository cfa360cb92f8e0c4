/*
 * XHR long-polling: the server holds each GET until it has packets.
 */

/** POSTs a payload by XHR; done(error). */
function postByXhr(route) {
  return function (text, done) {
    request(route, text, function (error, answer) {
      // The servers differ in their "ok", but none answers with a page: that is somebody in between.
      done(error || (/^\s*</.test(answer) ? 'HTML for an answer' : ''));
    });
  };
}

var polling = {
  usable: function (route) {
    try { return newXhr(route); } catch (noActiveX) { /* switched off by the user */ }
  },

  open: function (route) {
    return httpTransport(route, function (done) {
      return request(route, '', function (error, text) {
        done(error || (text ? '' : 'empty answer'), text);
      });
    }, postByXhr(route));
  }
};
