import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { HttpLimits } from './limits.ts';

export interface TlsFiles {
  cert: string | Buffer;
  key: string | Buffer;
}

/**
 * Node's server with every limit it knows set: its defaults have none on a slow body and drop headers past a
 * count.
 */
export function createNodeServer(
  handler: RequestListener,
  limits: HttpLimits,
  tls: TlsFiles | undefined,
): Server {
  const options = {
    maxHeaderSize: limits.headerBytesMax,
    requestTimeout: limits.requestTimeoutSeconds * 1000,
    headersTimeout: Math.min(limits.headersTimeoutSeconds, limits.requestTimeoutSeconds) * 1000,
    keepAliveTimeout: limits.keepAliveTimeoutSeconds * 1000,
    connectionsCheckingInterval: limits.checkIntervalMilliseconds,
    insecureHTTPParser: false,
    // refused by request-headers.ts in the shape of every other refusal
    requireHostHeader: false,
  };
  const server =
    tls === undefined
      ? createServer(options, handler)
      : createTlsServer(
          { ...options, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: options.headersTimeout },
          handler,
        );
  // one more than allowed, so that a header too many is seen and refused rather than dropped
  server.maxHeadersCount = limits.headersMax + 1;
  server.maxConnections = limits.connectionsMax;
  server.setTimeout(limits.idleTimeoutSeconds * 1000);
  // an expectation that we do not know is ignored, as RFC 9110 §10.1.1 allows
  server.on('checkExpectation', handler);
  server.on('connect', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(
      'HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    );
  });
  return server;
}

/** From now on `to`, which does not listen itself, answers what comes in at `from`. */
export function forwardRequests(from: Server, to: Server): void {
  for (const event of ['request', 'checkExpectation', 'clientError']) {
    from.removeAllListeners(event);
    from.on(event, (...given: unknown[]) => void to.emit(event, ...given));
  }
}
