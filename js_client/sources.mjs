/**
 * The files of src/ in the order in which they are joined; all share one scope. What a file runs at once, not in a function, needs what
 * stands above it. Within that the order is the one that compresses best: it is worth one per cent of the size.
 */
export const SOURCES = [
  'codec.js',
  'json.js',
  'dom.js',
  'emitter.js',
  'transports/polling.js',
  'backoff.js',
  'memory.js',
  'transports/websocket.js',
  'transports/jsonp.js',
  'transports/xhr.js',
  'transports/htmlfile.js',
  'transports/registry.js',
  'connection.js',
  'transports/http.js',
  'manager.js',
  'socket.js',
  'client.js',
];

/** What the whole client may weigh, minified and under gzip -9. */
export const MAX_GZIP_BYTES = 7168;

/** The properties that no other program reads begin with an underscore, so that the minifier may shorten their names. */
export const PRIVATE = /^_/;

/**
 * The order in which names are given letters, those of variables and those of private properties (these are never the letter of a
 * property that browsers have). It is what letters.mjs found to compress best: worth half a per cent of the size, by gzip and by Node's zlib, which differ.
 */
export const LETTERS = {
  variables: 'tioeladmfscurnwhpxGUvKkCjPJL_gHMqFWVBIbS$ONzyXRDYAETQZ',
  properties: 'PkJXli_utUoDWIGVhCTpvRjLOA$FmqHKYSNZBM',
};
