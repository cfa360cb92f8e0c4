/*
 * WebSocket: the browser's own, one message a packet. The other transports imitate it.
 */

function nativeWebSocket() {
  return global.WebSocket || global.MozWebSocket;  // Firefox 6-10
}

var websocket = {
  usable: nativeWebSocket,

  open: function (route) {
    var Native = nativeWebSocket(), socket = new Native(route.url().replace(/^http/, 'ws')), self = {
      binary: true,

      send: function (packet) {
        route.trace('>', packet);
        socket.send(packet);
      },

      close: function () { socket.close(); },

      idle: function () { return !socket.bufferedAmount; }
    };

    socket.binaryType = 'arraybuffer';
    socket.onopen = function () {
      if (self.onopen) { self.onopen(); }
    };
    socket.onmessage = function (event) {
      route.trace('<', event.data);
      if (self.onmessage) { self.onmessage(event); }
    };
    // onerror says nothing that onclose does not.
    socket.onclose = function (event) {
      if (self.onclose) { self.onclose({ reason: 'closed ' + (event.code || '') }); }
    };
    return self;
  }
};
