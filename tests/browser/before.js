/*
 * Before the client: keeps what the report needs, takes from the page the globals that the case is to do without, and pretends others,
 * which only Internet Explorer had. Pretended counts what was made of them.
 */
var Kept = {
    XMLHttpRequest: window.XMLHttpRequest || function () { return new ActiveXObject('Microsoft.XMLHTTP'); },
    JSON: window.JSON
  },
  Pretended = { documents: 0, garbage: 0, requests: 0 };

(function () {
  var pretend = {
    /** An ActiveX document: not in the page, though it has to be somewhere in it here. */
    ActiveXObject: function (kind) {
      var frame, made;
      if (kind == 'Microsoft.XMLHTTP') { return new Kept.XMLHttpRequest(); }
      if (kind != 'htmlfile') { throw new Error('Automation server can\'t create object'); }
      frame = document.createElement('iframe');
      document.body.appendChild(frame);
      made = frame.contentWindow.document;
      made.parentWindow = frame.contentWindow;
      Pretended.documents++;
      window.CollectGarbage = function () {
        Pretended.garbage++;
        setTimeout(function () { if (frame.parentNode) { frame.parentNode.removeChild(frame); } }, 50);
      };
      return made;
    },

    /** Internet Explorer 8 and 9: no headers, no status, text only, and in 9 no answer without a listener of progress. */
    XDomainRequest: function () {
      var self = this, xhr = new Kept.XMLHttpRequest(), over;
      self.responseText = '';
      self.open = function (method, url) {
        if (url.indexOf(location.protocol) !== 0) { throw new Error('Access is denied.'); }
        xhr.open(method, url, true);
      };
      self.send = function (body) {
        Pretended.requests++;
        xhr.onreadystatechange = function () {
          if (xhr.readyState != 4 || over) { return; }
          over = true;
          if (xhr.status != 200 || !self.onprogress) { return self.onerror(); }
          self.responseText = xhr.responseText;
          self.onload();
        };
        xhr.send(body);
      };
      self.abort = function () {
        over = true;
        xhr.abort();
      };
    }
  }, i;

  for (i = 0; i < CASE.without.length; i++) { window[CASE.without[i]] = undefined; }
  for (i = 0; i < CASE.pretends.length; i++) { window[CASE.pretends[i]] = pretend[CASE.pretends[i]]; }
  if (window.XDomainRequest) {
    // Of that time, and of this origin alone.
    window.XMLHttpRequest = function () { return { open: function () { throw new Error('Access is denied.'); } }; };
  }
})();
