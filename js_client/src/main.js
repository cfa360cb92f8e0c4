/*
 * The way out: CommonJS, or the globals `io` and `anywire`.
 */

if (typeof module == 'object' && module.exports) {
  module.exports = io;
} else {
  global.io = global.anywire = io;
}
