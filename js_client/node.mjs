// What `import` finds under Node, which takes a .js file of this package for CommonJS.
import io from './dist/anywire.js';

const { connect, Manager, Socket, protocol } = io;
export { io as default, io, connect, Manager, Socket, protocol };
