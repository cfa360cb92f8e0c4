// A client that loses its server: node come_back.cjs URL polling|websocket|upgrade CLIENT. Says "here" each time it has connected, and why it had to go.
const [url, mode, client] = process.argv.slice(2);
const socket = require(client)(url, {
  transports: mode === "upgrade" ? ["polling", "websocket"] : [mode],
  reconnectionDelay: 50, reconnectionDelayMax: 100,
});
let times = 0;
socket.on("connect", () => socket.emit("echo", "here", (text) => {
  console.log(text);
  if (++times === 3) process.exit(0);
}));
socket.on("disconnect", (reason) => console.log(reason));
