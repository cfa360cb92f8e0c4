// Runs the old programs of docs/moving-from-socketio-0.9.md on socket.io 0.9.19: node page09.cjs CODE. Prints the ports of its servers, in
// their order, as a JSON array; ends when its standard input does.
const original = require("server09");

const servers = [];
const listen = () => {
  const io = original.listen(0, { "log level": 0 });
  servers.push(new Promise((resolve) => io.server.once("listening", () => resolve(io.server.address().port))));
  return io;
};
new Function("require", "console", process.argv[2])(() => ({ listen }), { log() {} });
Promise.all(servers).then((ports) => console.log(JSON.stringify(ports)));
process.stdin.on("end", () => process.exit(0)).resume();
