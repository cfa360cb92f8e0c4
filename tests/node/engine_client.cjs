// A bare Engine.IO client, as socket.io-client brings it: node engine_client.cjs URL polling|websocket|upgrade sio1|sio2 TEXT... -> what came back.
const [url, mode, client, ...texts] = process.argv.slice(2);
const engine = require(`./node_modules/${client}/node_modules/engine.io-client`);
const socket = engine(url, { transports: mode === "upgrade" ? ["polling", "websocket"] : [mode] });
const raw = [Buffer.from([1, 2, 3, 4]), Buffer.alloc(0), Buffer.alloc(300000, 7)];
const said = { echoes: [], pongs: 0 };
const expected = texts.length + raw.length;
socket.on("upgrade", (transport) => { said.upgraded = transport.name; });
socket.on("error", (error) => { said.error = String(error); console.log(JSON.stringify(said)); process.exit(0); });
socket.on("open", () => {
  for (const text of texts) socket.send(text);
  for (const data of raw) socket.send(data);
});
socket.on("message", (data) => {
  const known = raw.findIndex((sent) => Buffer.isBuffer(data) && data.equals(sent));
  said.echoes.push(typeof data === "string" ? data : known < 0 ? data.toString("hex") : `bytes ${known}`);
});
socket.on("pong", () => {
  // Heartbeats go on for a while after everything has come back.
  if (++said.pongs < 8 || said.echoes.length < expected) return;
  said.transport = socket.transport.name;
  socket.on("close", (reason) => { said.closed = reason; console.log(JSON.stringify(said)); setTimeout(() => process.exit(0), 100); });
  socket.close();
});
