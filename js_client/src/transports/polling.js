/*
 * XHR long-polling: the server holds each GET until it has packets.
 */

/** The POST of polling and htmlfile. */
function postByXhr(route) {
  newXhr();  // to know it before a packet depends on it
  return function (text, done) { request(route, text, done); };
}

function polling(route) {
  return httpTransport(route, function (done) { return request(route, '', done); }, postByXhr(route));
}
