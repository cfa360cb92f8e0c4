// The benchmark's server on Node's socket.io. Prints its port.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { serveClient: false });
io.on("connection", (socket) => {
  socket.on("echo", (text) => socket.emit("echo", text));
  socket.on("blast", (count) => {
    for (let number = 0; number < count; number++) io.emit("news", { number, text: "x".repeat(60) });
  });
});
http.listen(0, "127.0.0.1", 4096, () => console.log(http.address().port));
