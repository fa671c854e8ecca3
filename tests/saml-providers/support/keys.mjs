// Keys of a provider, made for one run: RSA-2048 and a certificate that signs itself.
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Writes NAME.key and NAME.crt (PEM) into `folder`. */
export async function keyPair(folder, name, { days = 30 } = {}) {
  await mkdir(folder, { recursive: true });
  const [key, certificate] = [path.join(folder, `${name}.key`), path.join(folder, `${name}.crt`)];
  await run('openssl', [
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-days', String(days), '-subj', `/CN=${name}`, '-keyout', key, '-out', certificate,
  ]);
  return { key: await readFile(key, 'utf8'), certificate: await readFile(certificate, 'utf8'), keyFile: key, certificateFile: certificate };
}

/** The Base64 inside PEM. */
export function body(pem) {
  return pem.replaceAll(/-----[^-]+-----|\s/g, '');
}
