// Six versions of socket.io-client in one room: node six_versions.cjs URL polling|websocket|upgrade -> what each heard, as JSON.
const [url, mode] = process.argv.slice(2);
const VERSIONS = { "0.9.16": "sio09", "1.7.4": "sio1", "2.5.0": "sio2", "3.1.3": "sio3", "4.0.0": "sio40", "4.8.3": "sio4" };
const old = require("sio09");
old.transports.splice(0, old.transports.length, mode === "polling" ? "xhr-polling" : "websocket");

const plain = (value) =>
  Buffer.isBuffer(value) ? { hex: value.toString("hex") }
    : Array.isArray(value) ? value.map(plain)
      : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value;
const once = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));
const call = (socket, name, ...args) => new Promise((resolve) => socket.emit(name, ...args, (...back) => resolve(back)));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const connected = async (name) => {
  const socket = name === "0.9.16"
    ? old.connect(url, { "force new connection": true })
    : require(VERSIONS[name])(url, { transports: mode === "upgrade" ? ["polling", "websocket"] : [mode], forceNew: true, reconnection: false });
  await once(socket, "connect");
  while (mode === "upgrade" && name !== "0.9.16" && socket.io.engine.transport.name !== "websocket") await pause(10);
  return socket;
};

(async () => {
  const names = Object.keys(VERSIONS);
  const sockets = {};
  const heard = {};
  for (const name of names) {
    const socket = sockets[name] = await connected(name);
    heard[name] = { said: [], shown: [], single: [], others: [] };
    for (const event of Object.keys(heard[name])) socket.on(event, (...args) => heard[name][event].push(plain(args)));
    socket.on("question", (question, answer) => answer(`${question} ${name} é€😀`));
    if (name !== "0.9.16") socket.on("picture", (data, answer) => answer({ again: data }));
  }
  const settled = async () => { for (const name of names) await call(sockets[name], "echo"); }; // comes after all that was sent before it
  for (const name of names) await call(sockets[name], "join", "one", name);
  for (const name of names) await call(sockets[name], "say", "one", `${name} é€😀`);
  for (const name of names.slice(1)) await call(sockets[name], "show", "one", name, { deep: [Buffer.from(name)] });
  for (const [index, name] of names.entries()) await call(sockets[name], "tell", names[(index + 1) % names.length], `from ${name}`);
  for (const name of names) await call(sockets[name], "tell others", name);
  await settled();
  for (const name of names) {
    const socket = sockets[name], mine = heard[name];
    mine.echo = plain(await call(socket, "echo", 1, null, { three: ["é€😀"] }));
    mine.called = (await call(socket, "call me"))[0];
    mine.transport = (await call(socket, "transport"))[0];
    if (name !== "0.9.16") mine.picture = plain((await call(socket, "show me"))[0]);
  }
  const [gathered] = await call(sockets["2.5.0"], "call all", "one");
  for (const name of names) {
    const gone = once(sockets[name], "disconnect");
    sockets[name].emit("kick");
    heard[name].gone = (await gone)[0];
  }
  console.log(JSON.stringify({ heard, gathered }));
  process.exit(0);
})();
