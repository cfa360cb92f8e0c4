// The real network, for page.mjs: HTTP by Node.
import http from 'node:http';

const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });

export function network(method, url, body, on) {
  let over = false;
  const fail = () => { if (!over) { over = true; on.fail(); } };
  const headers = body === null ? {} : { 'Content-Length': Buffer.byteLength(body) };
  if (body?.startsWith('d=')) headers['Content-Type'] = 'application/x-www-form-urlencoded';
  const request = http.request(url, { method, headers, agent }, (response) => {
    response.setEncoding('utf8');
    if (!over) on.head(response.statusCode);
    response.on('data', (text) => { if (!over) on.chunk(text); });
    response.on('end', () => { if (!over) { over = true; on.end(); } });
    response.on('error', fail).on('aborted', fail);
  });
  request.on('error', fail);
  request.end(body ?? undefined);
  return () => {
    over = true;
    request.destroy();
  };
}
