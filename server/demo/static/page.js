/*
 * What the demo's scripts share, in the JavaScript of 1999 with the DOM of Internet Explorer 8: elements, texts, classes.
 * Nothing that a person wrote ever becomes HTML: it goes into text nodes only.
 */
var talk = (function () {
  var doc = document, page = {};

  page.byId = function (id) { return doc.getElementById(id); };

  page.empty = function (element) {
    while (element.firstChild) { element.removeChild(element.firstChild); }
  };

  /** Shows text in an element, if it shows another one. */
  page.text = function (element, text) {
    var node = element.firstChild;
    text = String(text);
    if (node && node.nodeType == 3 && !node.nextSibling) {
      if (node.nodeValue != text) { node.nodeValue = text; }
      return;
    }
    page.empty(element);
    element.appendChild(doc.createTextNode(text));
  };

  /** A new element with a class and a text. */
  page.make = function (tag, className, text) {
    var element = doc.createElement(tag);
    if (className) { element.className = className; }
    if (text !== undefined) { element.appendChild(doc.createTextNode(text)); }
    return element;
  };

  page.has = function (element, name) {
    return (' ' + element.className + ' ').split(' ' + name + ' ').length > 1;
  };

  /** Gives an element a class, or takes it away. */
  page.mark = function (element, name, on) {
    if (page.has(element, name) != !!on) {
      element.className = on ? (element.className ? element.className + ' ' : '') + name :
        (' ' + element.className + ' ').replace(' ' + name + ' ', ' ').replace(/^\s+|\s+$/g, '');
    }
  };

  /** A button that is pressed or not, for eyes and for screen readers. */
  page.press = function (button, on) {
    page.mark(button, 'on', on);
    button.setAttribute('aria-pressed', on ? 'true' : 'false');
  };

  page.show = function (element, on) { element.style.display = on ? '' : 'none'; };

  page.listen = function (element, name, listener) {
    if (element.addEventListener) {
      element.addEventListener(name, listener, false);
    } else {
      element.attachEvent('on' + name, function () { return listener.call(element, window.event); });
    }
  };

  page.stop = function (event) {
    if (event.preventDefault) { event.preventDefault(); } else { event.returnValue = false; }
  };

  page.data = function (name) { return page.byId('page').getAttribute('data-' + name); };

  /** What the browser kept under a name; nothing where it may keep nothing. kind: 'local', or 'session' for this tab alone. */
  page.recall = function (kind, name) {
    try { return window[kind + 'Storage'].getItem('talk.' + name) || ''; } catch (refused) { return ''; }
  };

  page.keep = function (kind, name, value) {
    try { window[kind + 'Storage'].setItem('talk.' + name, value); } catch (refused) { /* private mode, or none */ }
  };

  /** An argument of the page's address. */
  page.argument = function (name) {
    var found = new RegExp('[?&]' + name + '=([^&]*)').exec(location.search);
    return found ? decodeURIComponent(found[1].replace(/\+/g, ' ')) : '';
  };

  page.two = function (number) { return (number < 10 ? '0' : '') + number; };

  page.now = function () { return new Date().getTime(); };

  page.plural = function (count, word) { return count + ' ' + word + (count == 1 ? '' : 's'); };

  return page;
})();
