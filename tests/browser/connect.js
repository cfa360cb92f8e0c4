/*
 * One client on its way through one network: when is its first message answered? CASE: {client, url, options, report}.
 * Posts the seconds to CASE.report, as soon as there are any.
 */

(function () {
  var began, done;

  function answered() {
    var xhr = new XMLHttpRequest();
    if (done) { return; }
    done = true;
    xhr.open('POST', CASE.report, true);
    xhr.send(String((new Date().getTime() - began) / 1000));
  }

  var CLIENTS = {
    'socket.io': function () {
      var socket = io.connect(CASE.url, CASE.options);
      socket.on('connect', function () { socket.emit('echo', 'hello', answered); });
    },
    sockjs: function () {
      var socket = new SockJS(CASE.url + 'sockjs', null, CASE.options);
      socket.onopen = function () { socket.send('hello'); };
      socket.onmessage = answered;
    }
  };

  window.addEventListener('load', function () {
    setTimeout(function () {
      began = new Date().getTime();
      CLIENTS[CASE.client]();
    }, 50);
  }, false);
})();
