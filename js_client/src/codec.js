/*
 * The wire: Engine.IO 4 payloads and Socket.IO 5 packets, strings and ArrayBuffers in, values out.
 * https://github.com/socketio/engine.io-protocol (revision 4), https://github.com/socketio/socket.io-protocol (revision 5)
 */

var SEPARATOR = '\x1e',
  CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3,
  // Names that only the library itself may give to an event (socket.io-parser 4.2, RESERVED_EVENTS).
  RESERVED = /^(connect(_error)?|disconnect(ing)?|(new|remove)Listener)$/;

/** ArrayBuffer, typed array, DataView, Blob or File; Node's Buffer is a Uint8Array. */
function isBinary(value) {
  return /(Buffer|\wArray|DataView|Blob|File)\]$/.test({}.toString.call(value));
}

/** 'b' + base64 of an ArrayBuffer or a view of one: binary on a carrier of text (engine.io-protocol, "HTTP long-polling"). */
function binaryToText(value) {
  var bytes = new global.Uint8Array(value.buffer || value, value.byteOffset || 0, value.byteLength),
    text = '', i;
  for (i = 0; i < bytes.length; i++) { text += String.fromCharCode(bytes[i]); }
  return 'b' + global.btoa(text);
}

/** The ArrayBuffer in base64; where there is none (Internet Explorer 9 and older), a String object of the base64. */
function textToBinary(text) {
  var raw, bytes, i;
  if (!global.Uint8Array) { return Object(text); }
  raw = global.atob(text);
  bytes = new global.Uint8Array(raw.length);
  for (i = 0; i < raw.length; i++) { bytes[i] = raw.charCodeAt(i); }
  return bytes.buffer;
}

/**
 * A Socket.IO packet as messages: a string, then its attachments.
 * <type>[<attachments>-][<namespace>,][<ack id>][JSON]; binary values become {"_placeholder":true,"num":index}.
 * Without an id it is '', without data undefined. Throws what JSON throws (a cyclic structure).
 */
function encodePacket(type, nsp, id, data) {
  var messages = [''],
    text = json.stringify(data, function (key, value) {
      var raw = this[key];  // value has gone through toJSON already, which Node's Buffer has
      return isBinary(raw) ? { '_placeholder': true, num: messages.push(raw) - 2 } : value;
    });
  messages[0] = (messages.length > 1 ? type + 3 + (messages.length - 1 + '-') : type) +
    // Half a character has no UTF-8: what old WebKits send for it ends the session.
    (nsp == '/' ? '' : nsp + ',') + id + (text || '').replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, escaped);
  return messages;
}

/** Puts attachments back into data; throws if a placeholder names none. */
function restore(data, attachments) {
  if (data && typeof data == 'object') {
    if (data['_placeholder'] === true) {
      if (!(+data.num in attachments)) { throw invalid(); }
      return attachments[data.num];
    }
    each(data, function (key, value) { data[key] = restore(value, attachments); });
  }
  return data;
}

function invalid() {
  return new Error('invalid packet');
}

/**
 * Reads one text message; throws an Error if it is not a packet. `_id` is NaN if there is none, `_data` ''. `_need` is the number of
 * attachments that follow, as text, if there are any.
 */
function decodePacket(message) {
  // Internet Explorer 6-8 give '' for a group that took no part, others undefined.
  var match = /^(?:([0-4])|([56])(\d+)-)(?:(\/[^,]*),?)?(\d+)?([\s\S]*)/.exec(message) || [],
    type = match[2] ? match[2] - 3 : match[1],
    text = match[6],
    data = text && json.parse(text);
  // CONNECT carries an object or nothing, EVENT an array that begins with a name, ACK an array, CONNECT_ERROR an object (or the
  // bare text of older servers).
  if (!/^(0(\{|$)|1$|2\[["\-\d]|3\[|4[{"])/.test(type + text) || type == EVENT && RESERVED.test(data[0])) {
    throw invalid();
  }
  return { _type: +type, _nsp: match[4] || '/', _id: parseInt(match[5]), _data: data, _need: match[3] };
}

/** Returns a function that takes messages in order and returns a packet as soon as one is whole; it throws on any other. */
function packetReader() {
  var waiting, attachments;
  return function (message) {
    var packet = waiting, isText = typeof message == 'string';
    if (isText == !!waiting) { throw invalid(); /* text while attachments are due, or binary when none is */; }
    if (isText) {
      packet = decodePacket(message);
      attachments = [];
    } else {
      attachments.push(message);
    }
    waiting = attachments.length < packet._need && packet;
    if (waiting) { return; }
    if (packet._need) { packet._data = restore(packet._data, attachments); }
    return packet;
  };
}
