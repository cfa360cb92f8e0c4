// The wire, by the golden vectors that tests/test_codec.py reads too.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { inside, load } from './load.mjs';

const page = load({ btoa, atob, ArrayBuffer, Uint8Array, DataView, Blob, Buffer });
const { encodePacket, decodePacket, packetReader, binaryToText, textToBinary, isBinary } = page;
const VECTORS = JSON.parse(readFileSync(new URL('../vectors/socketio5.json', import.meta.url), 'utf8'));
const TYPES = { Connect: 0, Disconnect: 1, Event: 2, Ack: 3, ConnectError: 4 };

const bytesOf = (value) => Buffer.from(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength);
/** A vector's value: {"$hex": "00ff"} stands for bytes. */
function fromJson(value) {
  if (Array.isArray(value)) return Array.from(value, fromJson);
  if (value === null || typeof value !== 'object') return value;
  if (Object.keys(value).join() === '$hex') return new Uint8Array(Buffer.from(value.$hex, 'hex')).buffer;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, fromJson(part)]));
}
/** The reverse, of values of any realm. */
function toJson(value) {
  if (isBinary(value)) return { $hex: bytesOf(value).toString('hex') };
  if (Array.isArray(value)) return Array.from(value, toJson);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toJson(part)]));
}
/** [type, namespace, id, data] of a vector's packet. */
function parts({ type, namespace, name, args, ack, id, data, message }) {
  if (type === 'Event') return [2, namespace, ack, [name, ...args]];
  if (type === 'Ack') return [3, namespace, id, args];
  if (type === 'ConnectError') return [4, namespace, undefined, data === undefined ? { message } : { message, data }];
  return [TYPES[type], namespace, undefined, data ?? undefined];
}
/** The Engine.IO packet of a Socket.IO message. */
const framed = (message) => (typeof message === 'string' ? `4${message}` : message);

for (const vector of VECTORS) {
  const [type, nsp, id, data] = parts(vector.packet);

  test(`golden vector: ${vector.name}`, inside, () => {
    const messages = encodePacket(type, nsp, id ?? '', fromJson(data));
    assert.deepEqual([...messages].map(framed).map(toJson), vector.messages);
    assert.equal([...messages].map(framed).map((part) => (isBinary(part) ? binaryToText(part) : part)).join('\x1e'), vector.payload);

    const read = packetReader(), heard = [];
    for (const message of vector.messages) {
      const part = fromJson(message), packet = read(typeof part === 'string' ? part.slice(1) : part);
      if (packet) heard.push([packet._type, packet._nsp, packet._id, toJson(packet._data)]);
    }
    assert.deepEqual(heard, [[type, nsp, id ?? NaN, data ?? '']]);
  });
}

test('bytes of every kind travel, and only the bytes that a view shows', inside, () => {
  const whole = new Uint8Array([0, 1, 2, 3]);
  for (const value of [whole.subarray(1, 3), new DataView(whole.buffer, 1, 2), Buffer.from([1, 2]), new Uint8Array([1, 2]).buffer]) {
    const [head, attachment] = encodePacket(2, '/', '', ['x', value]);
    assert.equal(head, '51-["x",{"_placeholder":true,"num":0}]');
    assert.equal(attachment, value);
    assert.equal(binaryToText(attachment), 'bAQI=');
  }
  assert.ok(isBinary(new Blob(['x'])));
  for (const value of ['x', 1, null, undefined, [1], {}, new Date(), { buffer: 1 }]) assert.ok(!isBinary(value), String(value));
});

test('half a character is escaped also where JSON.stringify of the time leaves it, and whole ones stay', inside, () => {
  const old = load({ JSON: { ...JSON, parse: JSON.parse, stringify: (...args) => JSON.stringify(...args).replace(/\\u(d[89a-f]..)/g, (_, code) => String.fromCharCode(parseInt(code, 16))) } });
  for (const one of [page, old]) {
    assert.equal(one.encodePacket(2, '/', '', ['a\ud83d', '\ude00b', '\ud83d\ude00', '\ud83d\ud83d\ude00'])[0],
      '2["a\\ud83d","\\ude00b","\ud83d\ude00","\\ud83d\ud83d\ude00"]');
  }
});

test('all bytes there are survive base64 both ways', inside, () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  assert.deepEqual([...new Uint8Array(textToBinary(binaryToText(all).slice(1)))], [...all]);
  assert.equal(textToBinary('').byteLength, 0);
});

test('a browser without typed arrays is given the base64 as it came', inside, () => {
  const old = load({}, ['Uint8Array', 'ArrayBuffer']);
  const value = old.textToBinary('AQI=');
  assert.deepEqual([typeof value, `${value}`], ['object', 'AQI=']);
});

for (const text of ['', '7', 'x', '2', '2{}', '2[]', '2[null]', '2[{"toString":1}]', '2["connect"]', '2["disconnecting"]', '2["newListener"]', '3{}', '3', '0[]', '0"x"',
  '1{}', '4', '4[]', '5["x"]', '5-["x"]', '51-{"a":1}', '2["x"', '2/a["x"]', '-1']) {
  test(`not a packet: ${JSON.stringify(text)}`, inside, () => assert.throws(() => decodePacket(text)));
}

test('a placeholder names an attachment or is an error', inside, () => {
  for (const num of ['1', '-1', '"splice"', '99', '0.5', 'null', '{}']) {
    const read = packetReader();
    assert.equal(read(`51-["x",{"_placeholder":true,"num":${num}}]`), undefined);
    if (num === 'null') continue;  // +null is 0: harmless
    assert.throws(() => read(new ArrayBuffer(1)), { message: 'invalid packet' }, num);
  }
});

test('text while attachments are due, and bytes that nobody announced, are errors', inside, () => {
  assert.throws(() => packetReader()(new ArrayBuffer(1)));
  const read = packetReader();
  read('51-["x",{"_placeholder":true,"num":0}]');
  assert.throws(() => read('2["y"]'));
});
