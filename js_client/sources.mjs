/** The files of src/ in the order in which they are joined; all share one scope. */
export const SOURCES = [
  'emitter.js',
  'backoff.js',
  'json.js',
  'codec.js',
  'dom.js',
  'memory.js',
  'transports/xhr.js',
  'transports/http.js',
  'transports/websocket.js',
  'transports/polling.js',
  'transports/jsonp.js',
  'transports/htmlfile.js',
  'transports/registry.js',
  'connection.js',
  'manager.js',
  'socket.js',
  'client.js',
];

/** What the whole client may weigh, minified and under gzip -9. */
export const MAX_GZIP_BYTES = 7168;

/** The properties that no other program reads begin with an underscore, so that the minifier may shorten their names. */
export const PRIVATE = /^_/;
