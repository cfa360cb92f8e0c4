/*
 * Memory: which transport worked towards a server, so that the next visit begins with it. In localStorage, else in a cookie,
 * else (no storage allowed, or no browser) nowhere.
 */

var DAY = 864e5;  // milliseconds

/** Stores text under key if given, and returns what is stored there. */
function stored(key, text) {
  try {
    if (text) { global.localStorage.setItem(key, text); }
    return global.localStorage.getItem(key);
  } catch (noStorage) {
    try {
      if (text) { doc.cookie = key + '=' + text + ';path=/;expires=' + new Date(now() + DAY).toUTCString(); }
      return doc.cookie.split(key + '=')[1];
    } catch (noCookie) { /* Node, or a sandboxed frame */ }
  }
}

/** Remembers for a day what recall will say. */
function remember(key, works) {
  stored(key, works.concat(now() + DAY).join('/'));
}

/** [transport's name, milliseconds until it answered, until when that counts], if one is remembered. */
function recall(key) {
  var parts = (stored(key) || '').split('/');
  if (parseInt(parts[2]) > now()) { return parts; }
}
