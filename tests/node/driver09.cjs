// socket.io-client 0.9.16, driven line by line: node driver09.cjs URL TRANSPORTS OPTIONS. What happens is printed as JSON arrays [namespace,
// event, ...arguments]; the lines of standard input are JSON arrays [verb, namespace, ...arguments]. OPTIONS are the client's, and: events,
// names that are printed too; answer, what is acknowledged with.
const io = require("sio09");

const [url, transports, options] = process.argv.slice(2);
io.transports.splice(0, io.transports.length, ...transports.split(","));
const settings = JSON.parse(options);
const say = (...words) => console.log(JSON.stringify(words.map((word) => (word instanceof Error ? String(word) : word))));
const EVENTS = ["connecting", "connect", "connect_failed", "message", "error", "disconnect", "reconnecting", "reconnect", "reconnect_failed"];
const sockets = {};
const watch = (path, socket) => {
  sockets[path] = socket;
  for (const event of [...EVENTS, ...(settings.events || [])])
    socket.on(event, (...args) => {
      const answer = typeof args.at(-1) === "function" && args.pop();
      say(path, event, ...args);
      if (answer) answer(settings.answer);
    });
};
watch("", io.connect(url, { "force new connection": true, ...settings }));
const root = sockets[""].socket;
const verbs = {
  of: (path) => watch(path, sockets[""].of(path)),
  emit: (path, ...args) => sockets[path].emit(...args),
  ask: (path, name, ...args) => sockets[path].emit(name, ...args, (...answer) => say(path, "answer", ...answer)),
  send: (path, text) => sockets[path].send(text),
  disconnect: (path) => sockets[path].disconnect(),
  connect: () => root.connect(),
  state: () => say("", "state", { connected: root.connected, connecting: root.connecting, reconnecting: root.reconnecting }),
};
let rest = "";
process.stdin.on("data", (data) => {
  const lines = (rest + data).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const [verb, ...args] = JSON.parse(line);
    verbs[verb](...args);
  }
});
process.stdin.on("end", () => process.exit(0));
