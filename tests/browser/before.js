/* Before the client: keeps what the report needs, and takes from the page the globals that the case is to do without. */
var Kept = {
  XMLHttpRequest: window.XMLHttpRequest || function () { return new ActiveXObject('Microsoft.XMLHTTP'); },
  JSON: window.JSON
};
(function () {
  for (var i = 0; i < CASE.without.length; i++) { window[CASE.without[i]] = undefined; }
})();
