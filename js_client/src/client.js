/*
 * The way in: io(url, options), as a global of a page or by CommonJS.
 */

var managers = {};

/**
 * Where an address points: {_origin, _cross, _path, _query}. What it leaves out comes from the page, and the options hostname,
 * port and secure go before it. "//host", "/namespace" and "host:port" are understood, and ws: stands for http:.
 */
function parseTarget(url, opts) {
  var page = global.location || {},
    parts = /^(?:(\w+:)?\/\/)?([^\/?#]*)([^?#]*)([^#]*)/.exec(url || '/'),
    origin = (opts.secure || /[ps]s:$/i.test(parts[1] || page.protocol) ? 'https://' : 'http://') +
      (opts.hostname || parts[2] || page.host || 'localhost').toLowerCase();

  if (opts.port) { origin = origin.replace(/(:\d+)?$/, ':' + opts.port); }

  return {
    _origin: origin,
    _cross: origin != page.protocol + '//' + page.host,
    _path: parts[3] || '/',
    _query: parts[4].replace('?', '&')
  };
}

/**
 * The Socket of the namespace that url's path names ("https://host/chat?token=1" -> "/chat"), connecting unless
 * opts.autoConnect is false. Namespaces of one server share a connection, except with opts.forceNew or multiplex: false.
 */
function io(url, options) {
  var opts, target, key, manager;
  if (url && !url.charAt) { return io('', url); }
  opts = withDefaults(options);
  target = parseTarget(url, opts);
  key = target._origin + opts.path;
  manager = managers[key];
  if (opts.forceNew || opts.multiplex === false || manager && manager.nsps[target._path]) {
    manager = new Manager(url, opts);
  } else if (!manager) {
    manager = managers[key] = new Manager(url, opts);
  }
  return manager.socket(target._path, opts);
}

extend(io, { io: io, connect: io, Manager: Manager, Socket: Socket, protocol: 5, transports: ['websocket', 'polling', 'htmlfile', 'jsonp'] });

if (typeof module == 'object' && module.exports) {
  module.exports = io;
} else {
  global.io = global.anywire = io;
}
