/*
 * Events: listeners by name, given to the connection, the Manager and the Socket; and small things that every file uses.
 * A listener that throws neither stops the others nor breaks the session: its error goes to the page's own error handler.
 */

function noop() {}

/** Milliseconds of the wall clock. */
function now() {
  return +new Date();
}

/** Calls fn(key, value) for each own enumerable property. */
function each(object, fn) {
  for (var key in object) {
    if ({}.hasOwnProperty.call(object, key)) { fn(key, object[key]); }
  }
}

/** Calls fn(item) for each item of an array. */
function eachOf(list, fn) {
  for (var i = 0; i < list.length; i++) { fn(list[i]); }
}

/** Copies own enumerable properties of source onto target, but for those that are undefined: an option that is not given. */
function extend(target, source) {
  each(source, function (key, value) { if (value !== undefined) { target[key] = value; } });
  return target;
}

/** A real array of an arguments object or array, from that index on. */
function slice(list, from) {
  return [].slice.call(list, from);
}

/** The list without the first item like it, or like what `once` made of it; empty if there is no item. */
function without(list, item) {
  var kept = [];
  eachOf(list, function (other) {
    if (item && other !== item && other._of !== item) { kept.push(other); } else { item = item && kept; }
  });
  return kept;
}

/** Calls fn with the array args; what it throws is thrown again from a timer, where only window.onerror sees it. */
function guarded(fn, self, args) {
  try {
    fn.apply(self, args);
  } catch (error) {
    setTimeout(function () { throw error; }, 0);
  }
}

/** Makes self an emitter. The names of component-emitter and of 0.9's EventEmitter mean the same. */
function emitter(self) {
  // '$' + event name -> listeners (the prefix keeps 'constructor' and '__proto__' harmless); a list is replaced, never changed
  var all = {};

  self.on = self.addListener = function (name, listener) {
    all['$' + name] = self.listeners(name).concat(listener);
    return self;
  };

  self.once = function (name, listener) {
    function only() {
      self.off(name, only);
      listener.apply(self, arguments);
    }
    only._of = listener;
    return self.on(name, only);
  };

  /** off() removes all listeners, off(name) all of that event, off(name, listener) that one, also if added by once. */
  self.off = self.removeListener = self.removeAllListeners = function (name, listener) {
    if (name) {
      all['$' + name] = without(self.listeners(name), listener);
    } else {
      all = {};
    }
    return self;
  };

  self.listeners = function (name) {
    return all['$' + name] || [];
  };

  /** Calls the listeners that are there now, in order, with the caller's `this`. 0.9's name; `emit` of a Socket sends to the server. */
  self.$emit = function (name) {
    var from = this, args = slice(arguments, 1);
    eachOf(self.listeners(name), function (listener) { guarded(listener, from, args); });
  };
  return self;
}
