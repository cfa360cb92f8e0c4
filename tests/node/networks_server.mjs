// The servers of other clients in benchmarks/networks.py: Node's socket.io and sockjs on one port, each with an echo. Prints the port.
import { createServer } from "node:http";
import { Server } from "socket.io";
import sockjs from "sockjs";

const http = createServer();
const io = new Server(http, { serveClient: false });
io.on("connection", (socket) => socket.on("echo", (value, done) => done(value)));
const echo = sockjs.createServer({ log() {}, prefix: "/sockjs" });
echo.on("connection", (connection) => connection.on("data", (text) => connection.write(text)));
echo.installHandlers(http);
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
