/*
 * XHR long-polling: the server holds each GET until it has packets.
 */

function polling(route) {
  return httpTransport(route, function (done) { return request(route, '', done); }, request);
}
