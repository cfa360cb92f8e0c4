// node engineio3_parsers.mjs CASES.json: what engine.io-parser 1.3.2 and 2.2.1, the real ones, read of our payloads, and write themselves.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const parsers = { 1: require("./node_modules/sio1/node_modules/engine.io-parser"), 2: require("./node_modules/sio2/node_modules/engine.io-parser") };
const plain = (data = "") => (Buffer.isBuffer(data) ? { $hex: data.toString("hex") } : data);
const read = (parser, body) => {
  const packets = [];
  parser.decodePayload(body, null, (packet) => { packets.push([packet.type, plain(packet.data)]); });
  return packets;
};
const write = (parser, packets, binary) => {
  let body;
  const list = packets.map(([type, data]) => ({ type, data: typeof data === "string" ? data : Buffer.from(data.$hex, "hex") }));
  (binary ? parser.encodePayloadAsBinary(list, (made) => { body = made; }) : parser.encodePayload(list, false, (made) => { body = made; }));
  return Buffer.from(body).toString("hex"); // a string goes over XHR as UTF-8
};
const answers = JSON.parse(readFileSync(process.argv[2], "utf8")).map(({ packets, octets, hex, base64 }) => {
  const raw = Buffer.from(hex, "hex");
  const answer = {};
  for (const [version, parser] of Object.entries(parsers)) {
    answer[version] = {
      read: read(parser, octets ? raw : raw.toString("utf8")),
      "read by bytes": read(parser, octets ? raw : raw.toString("latin1")),
      "read base64": read(parser, base64),
      text: write(parser, packets, false),
      binary: write(parser, packets, true),
    };
  }
  return answer;
});
console.log(JSON.stringify(answers));
