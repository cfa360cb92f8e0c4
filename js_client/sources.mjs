/**
 * The files of src/ in the order in which they are joined; all share one scope. What a file runs at once, not in a function, needs what
 * stands above it. Within that the order is the one that compresses best: it is worth one per cent of the size.
 */
export const SOURCES = [
  'transports/websocket.js',
  'transports/jsonp.js',
  'codec.js',
  'json.js',
  'transports/htmlfile.js',
  'dom.js',
  'backoff.js',
  'emitter.js',
  'connection.js',
  'transports/polling.js',
  'memory.js',
  'transports/xhr.js',
  'transports/registry.js',
  'transports/http.js',
  'manager.js',
  'socket.js',
  'client.js',
];

/** What the whole client may weigh, minified and under gzip -9. */
export const MAX_GZIP_BYTES = 7168;

/** The properties that no other program reads begin with an underscore, so that the minifier may shorten their names. */
export const PRIVATE = /^_/;
