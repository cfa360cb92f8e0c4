/*
 * The transports, by the names that the option `transports` uses. One line adds one.
 *
 * Each is a function of a route (where to and for whom: see newRoute in connection.js) that starts one, or throws if that is
 * not possible in this browser or towards this server. What it returns imitates a WebSocket: onopen(), onmessage({data}),
 * onclose({reason or code}), which the connection sets, send(packet), close(); it calls them later, never from within the function. Those over HTTP are
 * open once the server has taken a POST. Beyond that,
 *   _binary       whether send takes an ArrayBuffer, a typed array or a Blob as it is
 *   _idle()       whether a packet given now would go out now
 *   _pause(done)  (if another transport can take over) ends reading and writing; done() when no request is under way
 * close() also closes the session, if the route still has its id.
 */
var TRANSPORTS = {
  websocket: websocket,
  polling: polling,
  htmlfile: htmlfile,
  jsonp: jsonp
};
