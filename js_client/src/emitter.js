/*
 * Emitter: listeners by event name, mixed into the connection, the Manager and the Socket.
 * A listener that throws neither stops the others nor breaks the session: its error goes to the page's own error handler.
 */

var hasOwn = {}.hasOwnProperty;

/** Copies own enumerable properties of source onto target. */
function extend(target, source) {
  for (var key in source) {
    if (hasOwn.call(source, key)) { target[key] = source[key]; }
  }
  return target;
}

/** A real array of an arguments object or array. */
function slice(list) {
  return [].slice.call(list);
}

/** The list without item; empty if there is no item. */
function without(list, item) {
  var kept = [], i;
  for (i = 0; item && i < list.length; i++) {
    if (list[i] !== item && list[i]._of !== item) { kept.push(list[i]); }
  }
  return kept;
}

/** Calls each function with the array args; what it throws is thrown again from a timer, where only window.onerror sees it. */
function callAll(functions, self, args) {
  for (var i = 0; i < functions.length; i++) {
    try {
      functions[i].apply(self, args || []);
    } catch (error) { rethrow(error); }
  }
}

function rethrow(error) {
  setTimeout(function () { throw error; }, 0);
}

/** `_on`: '$' + event name -> listeners (the prefix keeps 'constructor' and '__proto__' harmless). */
var Emitter = {
  on: function (name, listener) {
    var all = this._on = this._on || {};
    (all['$' + name] = all['$' + name] || []).push(listener);
    return this;
  },

  once: function (name, listener) {
    var self = this;
    function only() {
      self.off(name, only);
      listener.apply(self, arguments);
    }
    only._of = listener;
    return self.on(name, only);
  },

  /** off() removes all listeners, off(name) all of that event, off(name, listener) that one, also if added by once. */
  off: function (name, listener) {
    if (!name) {
      this._on = {};
    } else if (this._on) {
      this._on['$' + name] = without(this.listeners(name), listener);
    }
    return this;
  },

  listeners: function (name) {
    return slice(this._on && this._on['$' + name] || []);
  },

  /** Calls the listeners that are there now, in order, with the array args. */
  _fire: function (name, args) {
    callAll(this.listeners(name), this, args);
  }
};
