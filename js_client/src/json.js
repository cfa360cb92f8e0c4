/*
 * JSON: the browser's own where there is one (all but Internet Explorer 6 and 7), else a small reader and writer.
 */

// Of stringify's replacer ours has no need: engines without a JSON of their own have no binary to replace.
var json = global.JSON || { parse: readJson, stringify: writeJson };

/** Evaluates text, once it is sure that nothing in it can act; as RFC 4627, section 6, says. */
function readJson(text) {
  if (/[^,:{}\[\]0-9.\-+Eaeflnr-u \n\r\t]/.test(text.replace(/"(\\.|[^"\\])*"/g, ''))) { throw invalid(); }
  // Two line ends to JavaScript are characters to JSON.
  return new Function('return ' + text.replace(/[\u2028\u2029]/g, escaped))();
}

/** A pair of surrogates, which is one character, stays. */
function escaped(c) {
  return c.charAt(1) ? c : '\\u' + ('000' + c.charCodeAt(0).toString(16)).slice(-4);
}

/** undefined for what JSON leaves out (functions, undefined), as JSON.stringify. */
function writeJson(value) {
  var parts = [], type = typeof value, key;
  if (type == 'string') {
    return '"' + value.replace(/[^ !#-\[\]-~]/g, escaped) + '"';
  }
  if (/^[uf]/.test(type)) { return; }
  if (type != 'object' || !value) { return isFinite(value) ? '' + value : 'null'; }
  if ({}.toString.call(value) == '[object Array]') {
    for (key = 0; key < value.length; key++) { parts.push(json.stringify(value[key]) || 'null'); }
    return '[' + parts + ']';
  }
  each(value, function (name, part) {
    part = json.stringify(part);
    if (part) { parts.push(json.stringify(name) + ':' + part); }
  });
  return '{' + parts + '}';
}
