/* phantomjs open.js URL: shows the page until it is killed; errors of the page go to the output. */
var page = require('webpage').create(), system = require('system');
page.onConsoleMessage = function (text) { console.log(text); };
page.onError = function (text, trace) { console.log('ERROR ' + text + ' ' + JSON.stringify(trace)); };
page.open(system.args[1], function (status) { console.log(status); });
