import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import pg from 'pg';

/** A way to a database that can be cut, as a network is. */
export interface DatabaseProxy {
  url: string;
  /** Breaks what is open and refuses what is new. */
  cut: () => void;
  /** Takes everything, and passes nothing on. */
  swallow: () => void;
  /** Passes nothing more on of what is open, and says nothing, as a router that was started anew. */
  forget: () => void;
  restore(): void;
  close(): Promise<void>;
}

type Mode = 'open' | 'cut' | 'swallowing';

export async function proxyTo(databaseUrl: string): Promise<DatabaseProxy> {
  const { host, port, user, password, database } = new pg.Client(databaseUrl);
  const target = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  let mode: Mode = 'open';
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  };
  const server = createServer((near) => {
    keep(near);
    if (mode === 'cut') near.destroy();
    if (mode !== 'open') return;
    const far = connect(target);
    keep(far);
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const url = new URL(`postgresql://127.0.0.1:${(server.address() as AddressInfo).port}/${database}`);
  url.username = user ?? '';
  url.password = password ?? '';
  return {
    url: url.href,
    cut: () => {
      mode = 'cut';
      breakAll();
    },
    swallow: () => {
      mode = 'swallowing';
      for (const socket of sockets) socket.unpipe().resume();
    },
    forget: () => {
      for (const socket of sockets) socket.unpipe().resume();
    },
    restore: () => {
      mode = 'open';
      breakAll();
    },
    close: async () => {
      server.close();
      breakAll();
      await once(server, 'close');
    },
  };
}
