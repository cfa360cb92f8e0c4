// The codec of socket.io-client 0.9.16: node codec09.cjs decode|encode JSON, with an array in and an array out.
// decode: payloads -> what each means; encode: lists of packets -> payloads, as a browser's XHR sends them.
const { parser } = require("sio09");

const [mode, input] = process.argv.slice(2);
const out = JSON.parse(input).map((item) =>
  mode === "decode" ? parser.decodePayload(item) : Buffer.from(parser.encodePayload(item.map(parser.encodePacket))).toString());
console.log(JSON.stringify(out));
