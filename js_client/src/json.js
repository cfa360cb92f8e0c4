/*
 * JSON: the browser's own where there is one (all but Internet Explorer 6 and 7), else a small reader and writer.
 */

var nativeJson = global.JSON;

/** The value that text says; throws an Error if it is not JSON. */
function parseJson(text) {
  return nativeJson ? nativeJson.parse(text) : readJson(text);
}

/** JSON of value; `replacer` works only with the browser's own JSON (engines without it have no binary to replace). */
function toJson(value, replacer) {
  return nativeJson ? nativeJson.stringify(value, replacer) : writeJson(value);
}

/** Evaluates text, once it is sure that nothing in it can act; as RFC 4627, section 6, says. */
function readJson(text) {
  if (/[^,:{}\[\]0-9.\-+Eaeflnr-u \n\r\t]/.test(text.replace(/"(\\.|[^"\\])*"/g, ''))) { throw invalid(); }
  // Two line ends to JavaScript are characters to JSON.
  return new Function('return ' + text.replace(/\u2028/g, '\\u2028').replace(/\u2029/g, '\\u2029'))();
}

/** undefined for what JSON leaves out (functions, undefined), as JSON.stringify. */
function writeJson(value) {
  var parts = [], type = typeof value, key;
  if (type == 'string') {
    return '"' + value.replace(/[^ !#-\[\]-~]/g, function (c) {
      return '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4);
    }) + '"';
  }
  if (/^[uf]/.test(type)) { return; }
  if (type != 'object' || !value) { return isFinite(value) ? '' + value : 'null'; }
  if (classOf(value) == 'Array') {
    for (key = 0; key < value.length; key++) { parts.push(writeJson(value[key]) || 'null'); }
    return '[' + parts + ']';
  }
  each(value, function (name, part) {
    part = writeJson(part);
    if (part) { parts.push(writeJson(name) + ':' + part); }
  });
  return '{' + parts + '}';
}
