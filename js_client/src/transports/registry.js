/*
 * The transports, in the order in which they are tried. One line adds one.
 *
 * Each says
 *   usable(route)  whether it can work in this browser and towards this server
 *   open(route)    starts one, which imitates a WebSocket: onopen(), onmessage({data}), onclose({reason}), send(packet), close(),
 *                  all of them called later, never from within open(); it may throw. Beyond that,
 *     binary         whether send takes an ArrayBuffer, a typed array or a Blob as it is
 *     idle()         whether a packet given now would go out now
 *     pause(done)    (if another transport can take over) ends reading and writing; done() when no request is under way
 *     resume()       takes pause back
 *     moved          set when another transport has taken over: close() must not close the session
 */
var TRANSPORTS = {
  websocket: websocket,
  polling: polling,
  htmlfile: htmlfile,
  jsonp: jsonp
};
