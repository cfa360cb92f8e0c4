// Types of anywire-client: the API of socket.io-client 4, and what pages of Socket.IO 0.9 use.

export = io;
export as namespace anywire;

/**
 * The Socket of the namespace that the address's path names ("https://host/chat?token=1" is "/chat"), connecting unless `autoConnect`
 * is false. Namespaces of one server share a connection, except with `forceNew`, `multiplex: false`, or when it has that namespace.
 */
declare function io(url?: string, options?: io.Options): io.Socket;
declare function io(options: io.Options): io.Socket;

declare namespace io {
  export { io, io as connect };
  /** The revision of the Socket.IO protocol. */
  export const protocol: 5;
  /** The transports of those who name none, in the order in which they are tried: `io.transports = [...]`. A property of `io` alone, no export of the module. */
  export let transports: TransportName[];

  export type TransportName = 'websocket' | 'polling' | 'htmlfile' | 'jsonp';
  /** 0.9's names are understood. Names that are not known are passed over. */
  export type AnyTransportName = TransportName | 'xhr-polling' | 'jsonp-polling' | (string & {});
  export type Listener = (...args: any[]) => void;
  export type Auth = { [key: string]: unknown };

  export type DisconnectReason =
    /** The server sent this socket away: it does not come back by itself. */
    | 'io server disconnect'
    /** disconnect() was called: it does not come back by itself. */
    | 'io client disconnect'
    /** The manager was closed. */
    | 'forced close'
    /** The server was silent for longer than it promised. */
    | 'ping timeout'
    /** The connection was closed; also when the page is hidden for good, or the machine goes offline. */
    | 'transport close'
    /** A request failed. */
    | 'transport error'
    /** Somebody sent what is not Socket.IO. */
    | 'parse error';

  export interface ConnectError extends Error {
    /** What the server's refusal said besides its message. */
    data?: any;
  }

  export interface ManagerOptions {
    /** Below which the server answers; "/socket.io/". */
    path?: string;
    /** What to try, in this order, but what worked the last time first; all of them. */
    transports?: AnyTransportName[];
    /** Whether a session over polling or JSONP moves to a WebSocket; true. */
    upgrade?: boolean;
    /** Milliseconds until the second transport is tried beside the first; 30, or 30 more than it took the last time, 2000 at most. */
    fallbackDelay?: number;
    /** Whether the next visit begins with the transport that worked, for a day; true. */
    remember?: boolean;
    /** Goes into the query of each request. */
    query?: { [key: string]: string | number | boolean | undefined } | string;
    /** Whether cookies go along to another origin; false. */
    withCredentials?: boolean;
    /** The class of WebSockets where the engine has none (Node before 22). */
    WebSocket?: new (url: string) => any;
    /** Milliseconds until an attempt to connect is given up; 20000. */
    timeout?: number | false;
    autoConnect?: boolean;
    reconnection?: boolean;
    /** Infinity. */
    reconnectionAttempts?: number;
    /** Milliseconds before the first attempt, doubled with each; 1000. A quarter, doubled with each fourth, while somebody else answers in the server's place. */
    reconnectionDelay?: number;
    /** Milliseconds at most; 5000. */
    reconnectionDelayMax?: number;
    /** The share of the wait that is left to chance, so that clients do not all come back at once; 0.5. */
    randomizationFactor?: number;
    /** How many events each socket keeps while not connected; beyond it the oldest is given up, and its callback told if it takes an error; 1000. */
    maxBuffer?: number;
    /** Told what happens: "<" a packet came, ">" one goes, "=" a transport starts or carries, "!" one fails and why. `console.log` will do. */
    debug?: (direction: '<' | '>' | '=' | '!', transport: string, data: any) => void;
    /** Instead of those of the address or of the page. */
    hostname?: string;
    port?: number | string;
    secure?: boolean;

    // Of Socket.IO 0.9.
    host?: string;
    resource?: string;
    'connect timeout'?: number;
    'auto connect'?: boolean;
    reconnect?: boolean;
    'max reconnection attempts'?: number;
    'reconnection delay'?: number;
    'reconnection limit'?: number;
    'force new connection'?: boolean;
  }

  export interface SocketOptions {
    /** Who we are: sent when the namespace is joined. A function is asked each time, and may take its time to call back. */
    auth?: Auth | ((callback: (auth?: Auth) => void) => void);
  }

  export interface Options extends ManagerOptions, SocketOptions {
    /** A connection of its own, which nobody else is given. */
    forceNew?: boolean;
    /** false: as forceNew. */
    multiplex?: boolean;
  }

  export interface Emitter {
    on(event: string, listener: Listener): this;
    addListener(event: string, listener: Listener): this;
    once(event: string, listener: Listener): this;
    /** That listener, all of that event, or all. */
    off(event?: string, listener?: Listener): this;
    removeListener(event?: string, listener?: Listener): this;
    removeAllListeners(event?: string): this;
    listeners(event: string): Listener[];
    /** Calls our own listeners; 0.9's name. */
    $emit(event: string, ...args: any[]): void;
  }

  export interface Socket extends Emitter {}
  export class Socket {
    constructor(manager: Manager, nsp: string, options: SocketOptions);
    readonly io: Manager;
    readonly nsp: string;
    /** The server's name for us in this namespace; undefined while not connected. */
    readonly id: string | undefined;
    readonly connected: boolean;
    readonly disconnected: boolean;
    /** Whether it is connected, or tries to be. */
    readonly active: boolean;
    /** Whether the server gave the last session back, with what was missed. */
    readonly recovered: boolean;
    auth: SocketOptions['auth'];

    on(event: 'connect', listener: () => void): this;
    on(event: 'connect_error', listener: (error: ConnectError) => void): this;
    on(event: 'disconnect', listener: (reason: DisconnectReason, error?: Error) => void): this;
    on(event: string, listener: Listener): this;

    /** Opens the connection at once unless it is open, also where it was given up. */
    connect(): this;
    open(): this;
    disconnect(): this;
    close(): this;

    /** A function as last argument is called with the answer. Throws for the library's own names, and for what cannot be JSON. */
    emit(event: string, ...args: any[]): this;
    /** The event "message". */
    send(...args: any[]): this;
    /** Only where there is Promise. */
    emitWithAck(event: string, ...args: any[]): Promise<any>;
    /** The next callback is node's: (error, answer). */
    timeout(ms: number): this;
    /** The next event is lost if it cannot go at once. */
    readonly volatile: this;
    /** Without effect: what is compressed is the server's choice. */
    compress(yes: boolean): this;

    /** Every event of the server. */
    onAny(listener: (event: string, ...args: any[]) => void): this;
    offAny(listener?: (event: string, ...args: any[]) => void): this;

    // Of Socket.IO 0.9.
    readonly socket: Manager;
    readonly json: this;
    of(nsp: string): Socket;
  }

  export interface Manager extends Emitter {}
  export class Manager {
    /** What is of sockets is for those that are given no options of their own. */
    constructor(url?: string, options?: ManagerOptions & SocketOptions);
    readonly opts: ManagerOptions & SocketOptions;
    readonly connected: boolean;
    /** The present connection, another one after each loss; none before the first. */
    readonly engine: Engine;

    on(event: 'open' | 'ping' | 'reconnect_failed', listener: () => void): this;
    on(event: 'close', listener: (reason: DisconnectReason, error: Error) => void): this;
    on(event: 'error' | 'reconnect_error', listener: (error: Error) => void): this;
    on(event: 'reconnect' | 'reconnect_attempt', listener: (attempt: number) => void): this;
    on(event: string, listener: Listener): this;

    /** Connects, unless it is connected or an attempt is under way; does not wait for the next one. */
    open(done?: (error?: Error) => void): this;
    connect(done?: (error?: Error) => void): this;
    close(): this;
    disconnect(): this;
    socket(nsp: string, options?: SocketOptions): Socket;

    // Of Socket.IO 0.9; the transport is the one that the connection began with.
    readonly transport: { readonly name: TransportName };
    readonly sessionid: string;
  }

  export interface Engine extends Emitter {
    readonly id: string;
    /** The one that carries; none before the server's handshake. */
    readonly transport: { readonly name: TransportName };
    on(event: 'upgrade', listener: (transport: { readonly name: TransportName }) => void): this;
    on(event: string, listener: Listener): this;
  }
}
