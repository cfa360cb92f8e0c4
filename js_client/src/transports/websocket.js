/*
 * WebSocket: the browser's own, or the one in the option of that name; one message a packet. The other transports imitate it.
 */

function websocket(route) {
  var Native = route._opts.WebSocket || global.WebSocket,
    socket = new Native(route._url().replace(/^http/, 'ws'));

  socket.binaryType = 'arraybuffer';
  // It says nothing that onclose does not; but in Node, an error that nobody hears ends the process.
  socket.onerror = noop;
  socket._binary = true;
  socket._idle = function () { return !socket.bufferedAmount; };
  return socket;
}
