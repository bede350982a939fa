import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { isIP } from 'node:net';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { ListenAddress } from './parsers.ts';

/** PEM, as `https.createServer` takes it. */
export interface TlsFiles {
  cert: Buffer;
  key: Buffer;
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host.toLowerCase() === 'localhost';
}

export function listensOnAll(host: string): boolean {
  return host === '0.0.0.0' || (isIP(host) === 6 && /^[0:]*$/.test(host));
}

export function urlOf({ host, port }: ListenAddress, scheme: 'http' | 'https'): string {
  return new URL(`${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`).origin;
}

/** Whether the file is or will be within the folder, whatever links stand on the way to either. */
export function isInside(file: string, folder: string): boolean {
  const way = relative(resolveLinks(folder), resolveLinks(file));
  return way !== '..' && !way.startsWith(`..${sep}`);
}

/** The real path, of which the last parts may not exist yet. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there: then its folder decides, up to the root, which always is.
    return dirname(path) === path ? path : join(resolveLinks(dirname(path)), basename(path));
  }
}

export function readTlsFiles(
  certificateFile: string | undefined,
  keyFile: string | undefined,
  problems: string[],
): TlsFiles | undefined {
  if (certificateFile === undefined && keyFile === undefined) return undefined;
  if (certificateFile === undefined || keyFile === undefined) {
    const missing = keyFile === undefined ? 'COFFER_TLS_KEY_FILE' : 'COFFER_TLS_CERTIFICATE_FILE';
    problems.push(`${missing}: is missing; certificate and key come together`);
    return undefined;
  }
  const cert = readPem('COFFER_TLS_CERTIFICATE_FILE', certificateFile, problems);
  const key = readPem('COFFER_TLS_KEY_FILE', keyFile, problems);
  if (cert === undefined || key === undefined) return undefined;
  const certificate = attempt(() => new X509Certificate(cert));
  const privateKey = attempt(() => createPrivateKey(key));
  if (certificate === undefined) {
    problems.push(`COFFER_TLS_CERTIFICATE_FILE: ${certificateFile} holds no certificate in PEM`);
  }
  if (privateKey === undefined) {
    problems.push(`COFFER_TLS_KEY_FILE: ${keyFile} holds no private key in PEM without a passphrase`);
  }
  if (certificate === undefined || privateKey === undefined) return undefined;
  if (!certificate.checkPrivateKey(privateKey)) {
    problems.push(`COFFER_TLS_KEY_FILE: ${keyFile} is not the key of the certificate ${certificateFile}`);
    return undefined;
  }
  return { cert, key };
}

function readPem(name: string, path: string, problems: string[]): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    problems.push(`${name}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  }
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    // What OpenSSL says of a bad file helps nobody, and might quote it.
    return undefined;
  }
}
