/*
 * JSON: the browser's own where there is one (all but Internet Explorer 6 and 7), else a small reader and writer.
 * The reader never evaluates text: it cuts it into tokens and walks them.
 */

var nativeJson = global.JSON,
  // RFC 8259: punctuation, a string, a number or a literal name. A string's plain runs and its escapes alternate.
  JSON_TOKEN = /[\[\]{}:,]|"[^"\\\x00-\x1f]*(?:\\(?:["\\\/bfnrt]|u[\da-fA-F]{4})[^"\\\x00-\x1f]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/g,
  JSON_ESCAPES = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' },
  JSON_LITERALS = { 'true': true, 'false': false, 'null': null };

/** The value that text says; throws an Error if it is not JSON. */
function parseJson(text) {
  return nativeJson ? nativeJson.parse(text) : readJson(text);
}

/** JSON of value; `replacer` works only with the browser's own JSON (engines without it have no binary to replace). */
function toJson(value, replacer) {
  return nativeJson ? nativeJson.stringify(value, replacer) : writeJson(value);
}

function readJson(text) {
  var tokens = text.match(JSON_TOKEN) || [], at = 0, result;

  function expect(right) {
    if (!right) { throw new Error('invalid JSON'); }
  }

  function take(pattern) {
    expect(pattern.test(tokens[at] || ''));
    return tokens[at++];
  }

  function string() {
    return take(/^"/).slice(1, -1).replace(/\\(u(....)|.)/g, function (all, escape, hex) {
      return hex ? String.fromCharCode(parseInt(hex, 16)) : JSON_ESCAPES[escape] || escape;
    });
  }

  /** Calls member for each member up to the bracket `close`. */
  function members(close, member) {
    if (tokens[at] == close) { return at++; }
    do { member(); } while (take(/^[,}\]]/) == ',');
    expect(tokens[at - 1] == close);
  }

  function value() {
    var token = tokens[at], made = token == '[' ? [] : {};
    if (/^"/.test(token)) { return string(); }
    take(/^[^\]}:,]/);
    if (token == '[') {
      members(']', function () { made.push(value()); });
    } else if (token == '{') {
      members('}', function () {
        var key = string();
        take(/^:/);
        made[key] = value();
      });
    } else {
      made = hasOwn.call(JSON_LITERALS, token) ? JSON_LITERALS[token] : +token;
    }
    return made;
  }

  result = value();
  // What is left when the tokens are taken away may only be white space.
  expect(at == tokens.length && !/[^ \t\r\n]/.test(text.replace(JSON_TOKEN, '')));
  return result;
}

/** undefined for what JSON leaves out (functions, undefined), as JSON.stringify. */
function writeJson(value) {
  var parts = [], type = typeof value, key, part;
  if (value && value.toJSON) { return writeJson(value.toJSON()); }
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
  for (key in value) {
    if (hasOwn.call(value, key) && (part = writeJson(value[key]))) { parts.push(writeJson(key) + ':' + part); }
  }
  return '{' + parts + '}';
}
