// What a page may write, by its types. Checked, not run.
import io from 'anywire-client';
import { connect, Manager, protocol, Socket } from 'anywire-client';
import commonjs = require('anywire-client');

const socket: Socket = io('https://example.org/chat?token=1', { auth: { token: 'x' }, transports: ['websocket', 'xhr-polling'], timeout: false });
io({ query: { a: 1 }, forceNew: true, auth: (done) => done({ token: 'y' }) });
io();
const five: 5 = protocol;
connect('//host', { 'max reconnection attempts': 3, 'force new connection': true }).socket.transport.name;
commonjs.connect().json.send({ five }, (answer: string) => answer);

socket.on('connect', () => socket.id);
socket.on('connect_error', (error) => error.data.code);
socket.on('disconnect', (reason, error) => (reason === 'ping timeout' ? error?.message : ''));
socket.on('news', (text: string, bytes: ArrayBuffer) => [text, bytes.byteLength]);
socket.once('x', () => {}).off('x').onAny((event, ...args) => [event, args]).volatile.emit('y', 1).timeout(5).emit('z', (error: Error | null) => error);
socket.emitWithAck('x').then((answer) => answer);
socket.io.on('reconnect', (attempt) => attempt.toFixed());
socket.io.engine.on('upgrade', (transport) => transport.name === 'websocket');
const manager = new Manager('', { reconnection: false, debug: console.log });
manager.opts.reconnectionDelay = 2000;
manager.once('ping', () => {}).on('close', (reason) => reason.length).removeListener('ping');
new Manager('https://example.org', { auth: { token: 'x' }, maxBuffer: 0 }).socket('/a', {}).off().listeners('x').length;
manager.open((error) => error?.message).socket('/a', { auth: { b: 1 } }).connect().disconnect();

// @ts-expect-error it is the manager's, for all its sockets
manager.socket('/a', { maxBuffer: 5 });
// @ts-expect-error there is no such reason
socket.on('disconnect', (reason) => reason === 'bored');
// @ts-expect-error an address is text
io(7);
// @ts-expect-error there is the type, and no such class
new io.Emitter();
// @ts-expect-error the library's, not the page's
socket.connected = true;
